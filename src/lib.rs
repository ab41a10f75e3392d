//! The `picket` binary's rooms: wiring only. One file per role, one per command.

pub mod bench;
pub mod commands;
pub mod config_file;
pub mod counted;
pub mod demo;
pub mod eval;
pub mod eyes;
pub mod failpoint;
pub mod hands;
pub mod history;
pub mod judge;
pub mod metrics_endpoint;
pub mod models;
pub mod outer_lock;
pub mod roles;
pub mod score_table;
pub mod side_files;
pub mod sim;
pub mod wiring;
