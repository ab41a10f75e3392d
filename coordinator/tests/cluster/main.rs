//! The coordinator as a group: real TCP, real TLS, real disks.

mod access;
mod damage;
mod failover;
mod group;
mod guard;
mod openapi;
mod proxy;
mod restart;
mod settings;
mod watch;
