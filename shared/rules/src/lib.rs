//! Rules of the user, in Cedar (<https://www.cedarpolicy.com>): read, held against picket's schema, and asked.
//!
//! Rules can only take away. What Cedar denies is denied, an error in evaluating is a no, and what it allows still meets every hard limit.
//! Architecture invariant: an answer depends on its arguments alone; no clock is read.

mod early;
mod question;
mod set;
#[cfg(test)]
mod tests;

pub use early::EarlyRules;
pub use set::{RuleError, RuleSet};

use picket_core::ids::AgentKind;

/// The schema that rules are held against.
pub const SCHEMA: &str = include_str!("../../../policies/picket.cedarschema");

/// The rules that ship, to start from.
#[must_use]
pub const fn shipped(agent: AgentKind) -> &'static str {
    match agent {
        AgentKind::Sre => include_str!("../../../policies/sre.cedar"),
        AgentKind::FinOps => include_str!("../../../policies/finops.cedar"),
        AgentKind::SecOps => include_str!("../../../policies/secops.cedar"),
    }
}
