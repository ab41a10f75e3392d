//! The coordinator's state machine: PROTOCOL.md as a pure function.
//!
//! Architecture invariant: [`apply`] reads no clock, draws no random number and does no I/O. Time is an argument, clamped to be
//! monotonic; every map is ordered; so every node that applies the same log holds the same [`State`].

mod admission;
mod approval;
mod authority;
mod automation;
mod bounds;
mod budget;
mod caution;
mod check;
mod claim;
mod clock;
mod cooldown;
mod dedupe;
mod edge;
mod entry;
mod epochs;
mod expiry;
mod facts;
mod foreign;
mod grade;
mod in_memory;
mod lease;
mod ledger;
mod members;
mod permitted;
mod phase;
mod planted;
mod policy;
mod propose;
mod queue;
mod reply;
mod report;
mod restore;
mod sample;
mod settings;
mod state;
mod stop;
#[cfg(test)]
mod tests;
mod token;
mod undo;
mod view;
mod waiting;

pub use check::check;
pub use in_memory::{InMemoryCoordinator, InMemoryHandle, RunClock};
pub use permitted::{PermittedAction, permit_for, sign_answer, watch_page};
#[cfg(feature = "planted-faults")]
pub use planted::{Fault, plant};
pub use propose::rule_question;
pub use reply::{Reply, Response, Ruling};
pub use restore::{RestoreError, RestoreOrder};
pub use settings::{Priorities, Settings, SettingsError};
pub use state::{State, apply};
