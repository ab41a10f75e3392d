//! The FinOps agent: saves what is wasted. It looks at use over a long window, where the others look for deviations.

mod price;
mod waste;

use picket_core::ids::AgentKind;
use picket_pipeline::agent::AgentProfile;

/// Its profile.
#[must_use]
pub fn profile() -> AgentProfile {
    AgentProfile { kind: AgentKind::FinOps, findings: waste::findings, monthly_saving_usd: price::monthly_saving_usd, patient: true }
}
