//! The coordinator as a group: real TCP, real TLS, real disks.

mod access;
mod damage;
mod failover;
mod group;
mod load;
mod membership;
mod restart;
mod restore;
mod settings;
mod watch;
