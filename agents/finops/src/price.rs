//! What an act saves.

use picket_core::action::{Action, Remediation};
use picket_core::ports::Readings;

/// US dollars for one core and one GiB of memory for a month of 730 hours: the order of a general-purpose on-demand machine of a large
/// cloud in 2025. A site's own prices belong in its configuration once billing data are read.
const CORE_MONTH_USD: f64 = 16.0;
const GIB_MONTH_USD: f64 = 2.1;
const GIB: f64 = (1u64 << 30) as f64;

/// Saving per month, for all pods of the service; `None` when what is requested today is not known, or nothing is saved.
pub fn monthly_saving_usd(action: &Action, now: &Readings) -> Option<f64> {
    let replicas = f64::from(now.replicas_desired?);
    let (cores, bytes) = (now.cpu_request_cores?, now.memory_request_bytes?);
    let pods = |count: f64, cores: f64, bytes: f64| count * (cores * CORE_MONTH_USD + bytes / GIB * GIB_MONTH_USD);
    let after = match &action.remediation {
        Remediation::SetResources { cpu_request_millicores, memory_bytes, .. } => {
            pods(replicas, *cpu_request_millicores as f64 / 1000.0, *memory_bytes as f64)
        }
        Remediation::Scale { replicas, .. } => pods(f64::from(*replicas), cores, bytes),
        _ => return None,
    };
    let saved = pods(replicas, cores, bytes) - after;
    (saved > 0.0).then_some(saved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::ids::ServiceId;

    #[test]
    fn a_month_of_three_idle_pods_is_their_requests() {
        let now =
            Readings { replicas_desired: Some(3), cpu_request_cores: Some(1.0), memory_request_bytes: Some(GIB), ..Readings::default() };
        let action = Action { service: ServiceId::new("c", "n", "s"), remediation: Remediation::Scale { replicas: 0, from: 3 } };
        assert_eq!(monthly_saving_usd(&action, &now), Some(3.0 * (CORE_MONTH_USD + GIB_MONTH_USD)));
        assert_eq!(monthly_saving_usd(&action, &Readings::default()), None);
    }
}
