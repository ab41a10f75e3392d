//! The act protocol as a model.

pub mod actuator;
pub mod check;
pub mod configurations;
pub mod coordinator;
pub mod id;
pub mod invariant;
pub mod ledger;
pub mod message;
mod model;
pub mod observer;
pub mod properties;
pub mod rules;
pub mod setup;
pub mod sink;
pub mod state;
pub mod step;
pub mod switches;
pub mod truth;
pub mod wide;
pub mod witness;
pub mod work;
pub mod world;
