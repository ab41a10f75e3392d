//! The SecOps agent: contains what is dangerous. Security findings and certificates come from the common detection as they are.

use picket_core::action::Action;
use picket_core::anomaly::Anomaly;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::ports::Readings;
use picket_core::time::Timestamp;
use picket_detection::Detector;
use picket_pipeline::agent::AgentProfile;

/// Its profile.
#[must_use]
pub fn profile() -> AgentProfile {
    AgentProfile { kind: AgentKind::SecOps, findings: nothing_more, monthly_saving_usd: no_saving, patient: false }
}

fn nothing_more(_: &Detector, _: &ServiceId, _: &Readings, _: Timestamp) -> Vec<Anomaly> {
    Vec::new()
}

fn no_saving(_: &Action, _: &Readings) -> Option<f64> {
    None
}
