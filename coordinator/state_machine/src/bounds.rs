//! Every collection has an end, and reaching it is an error that names the bound.

use crate::reply::Reply;
use picket_core::limits::{LimitRule, Violation};

/// `name` is the setting (or constant) that was reached; `what` says of what there are too many.
pub(crate) fn full(name: &str, have: usize, max: usize, what: &str) -> Violation {
    Violation::new(LimitRule::Capacity, None, format!("{name}: {have} {what}, {max} may be"))
}

/// As [`full`], as an answer.
pub(crate) fn refuse(name: &str, have: usize, max: usize, what: &str) -> Reply {
    Reply::Refused { violations: vec![full(name, have, max, what)] }
}
