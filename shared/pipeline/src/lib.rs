//! The stages in order: what an agent, an observer and an actuator do in one step. The only caller of ports.
//!
//! Architecture invariant: no stage reads a clock or waits. A role (or the evaluation, on virtual time) calls `step(now)`.

pub mod actuator;
pub mod agent;
pub mod early_policy;
pub mod edges;
pub mod intake;
pub mod monitor;
pub mod observer;
pub mod topics;
