//! The coordinator as a group: real TCP, real TLS, real disks.

mod access;
mod damage;
mod failover;
mod group;
mod guard;
mod load;
mod membership;
mod openapi;
mod proxy;
mod restart;
mod restore;
mod rules;
mod settings;
mod watch;
