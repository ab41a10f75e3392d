//! The types that cross picket's boundaries, and the pure rules over them.
//!
//! Architecture invariant: nothing here reads a clock, draws a random number, or does I/O. Time is an argument.

pub mod action;
pub mod anomaly;
pub mod audit;
pub mod calibration;
pub mod cause;
pub mod claim;
pub mod config;
pub mod coordination;
pub mod diagnosis;
pub mod episodes;
pub mod evidence;
pub mod facts;
pub mod foreign;
pub mod freeze;
pub mod graph;
pub mod ids;
pub mod incident;
pub mod incident_record;
pub mod invariants;
pub mod knowledge;
pub mod ledger;
mod ledger_entry;
pub mod limits;
pub mod membership;
pub mod opinion;
pub mod oscillation;
pub mod outcome;
pub mod permit;
pub mod phase;
pub mod planted;
pub mod policy;
pub mod ports;
pub mod post_mortem;
pub mod precondition;
pub mod proposal;
pub mod quantity;
pub mod quarantine;
pub mod restore;
pub mod rules;
pub mod scope;
pub mod severity;
pub mod signal;
pub mod time;
pub mod token_vectors;
