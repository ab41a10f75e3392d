//! A node of the coordinator: the state machine of `picket-state-machine`, replicated by Raft, reached by mutual TLS.
//!
//! `log/` is the disk, `raft/` binds openraft to it, `api/` is what others call, `pki` makes their certificates.

pub mod api;
pub mod log;
pub mod node;
pub mod pki;
pub mod raft;
pub mod tls;

pub use node::{NodeConfig, NodeError, NodeHandle, RaftTimers, serve, serve_on};
