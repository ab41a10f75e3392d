//! A node of the coordinator: the state machine of `picket-state-machine`, replicated by Raft, reached by mutual TLS.
//!
//! `disk/` is the disk, `log/` the log on it, `raft/` binds openraft to it, over connections of `picket-coordinator-transport`, `membership/` changes who takes part, `backup/` keeps the state elsewhere, `api/` is
//! what others call, `pki` makes their certificates.

pub mod api;
pub mod backup;
pub mod disk;
pub mod log;
pub mod membership;
pub mod node;
pub mod pki;
pub mod planted;
pub mod raft;
pub mod ticks;
pub mod timers;
pub mod tls;

pub use node::{NodeConfig, NodeError, NodeHandle, serve, serve_on};
pub use timers::RaftTimers;
