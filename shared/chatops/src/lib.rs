//! Slack, Microsoft Teams and PagerDuty as views of the ledger's approvals and pages.
//!
//! Nothing is decided here. What is shown is a projection of ledger entries ([`summary`], [`slack::message`], [`teams`], [`pagerduty`]); a
//! button becomes one command in the name of the person that a Slack account stands for ([`slack::press`], [`approver`]); and what was told to
//! whom follows from the ledger and from a small file alone ([`bridge::decide`]).
//!
//! Architecture invariants: no text from telemetry reaches a chat as markup; no secret reaches a log; a button that picket did not make, or
//! whose question is over, does nothing; a channel that is down holds up no other.

pub mod approver;
pub mod bridge;
pub mod dashboard_link;
pub mod http;
pub mod pagerduty;
pub mod people;
pub mod retry;
pub mod secret;
pub mod service;
pub mod settings;
pub mod slack;
pub mod summary;
pub mod teams;
pub mod text;
pub mod words;

use picket_core::time::Timestamp;
use std::sync::Arc;

/// Reads a clock: the run clock (what the coordinator's deadlines are in) or the wall clock, as said where it is taken.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The wall clock, in milliseconds since the Unix epoch: what Slack's timestamps are in.
#[must_use]
pub fn wall_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
