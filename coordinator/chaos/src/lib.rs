//! The coordinator as real processes, under kill -9, SIGSTOP and partitions, with clients that write to fenced registers.
//!
//! What the simulation (`coordinator/simulation`) leaves out is here: processes, sockets, TLS, HTTP, real disks, the kernel's idea of a
//! dead peer. The verdict uses nothing of the coordinator's own: answers, registers, and a search for a sequential order of them.

pub mod clock;
pub mod fuzz;
pub mod group;
pub mod history;
pub mod linearize;
pub mod lock_model;
pub mod namespaces;
pub mod nemesis;
pub mod node;
pub mod register;
pub mod run;
pub mod schedule;
pub mod verdict;
pub mod writer;
