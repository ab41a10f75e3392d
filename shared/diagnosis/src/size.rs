//! How much: remedies computed from a service's readings. `None` when a figure that the remedy needs is missing.

use picket_core::action::{Action, Remediation};
use picket_core::cause::Cause;
use picket_core::ids::ServiceId;
use picket_core::limits::SCALE_FACTOR_MAX;
use picket_core::ports::{DiagnosisContext, Readings};

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;
/// Room above the highest working set seen: that maximum was capped by the old limit.
const MEMORY_HEADROOM: f64 = 1.25;
/// The least that a limit is raised by: a smaller step meets the next kill.
const MEMORY_STEP: f64 = 1.5;
/// Of its CPU limit a replica should use when scaling by CPU.
const CPU_TARGET: f64 = 0.6;
/// The most that one scaling multiplies by: a wrong figure must not cost more than twice.
const SCALE_MAX: u32 = 2;
/// The least that a volume grows by.
const VOLUME_STEP: f64 = 1.5;
/// A volume that grows should last this long after expansion.
const VOLUME_LASTS_S: f64 = 7.0 * 86_400.0;
/// The most that one expansion multiplies by: a burst of writes must not buy a week's worth of its rate.
const VOLUME_MAX: f64 = 4.0;
/// A volume is worth expanding from this share used; below it another claim of the service is meant.
const VOLUME_USED: f64 = 0.5;
/// Rightsizing: room above the highest working set.
const RIGHTSIZE_MEMORY: f64 = 1.15;
/// Rightsizing: floor of the memory request.
const MEMORY_FLOOR_MIB: f64 = 64.0;
/// Rightsizing: floor and step of the CPU request, in thousandths of a core.
const CPU_FLOOR_MILLICORES: u64 = 25;
const CPU_STEP_MILLICORES: f64 = 10.0;

/// The remedy for a cause on a service, sized by its readings; `None` when there is no remedy or a figure is missing.
///
/// `object` names which claim or certificate the symptom is about; without it the most pressing one is taken.
#[must_use]
pub fn remedy_for(cause: Cause, service: &ServiceId, object: Option<&str>, context: &DiagnosisContext) -> Option<Action> {
    let readings = context.readings.get(service);
    let sized = |size: fn(&Readings, &ServiceId) -> Option<Remediation>| readings.and_then(|r| size(r, service));
    let remediation = match cause {
        Cause::MemoryLimitTooLow => sized(memory_limit)?,
        Cause::MemoryLeak | Cause::StuckProcess => Remediation::RolloutRestart,
        Cause::BadDeployment | Cause::CrashLoop => sized(|r, _| previous_revision(r))?,
        Cause::LoadSurge => sized(|r, _| more_room(r))?,
        Cause::DiskFilling => larger_volume(readings?, object)?,
        Cause::CertificateExpiring => renewal(readings, object)?,
        Cause::SlowDependency => return None,
        Cause::OverRequested => sized(rightsized)?,
        Cause::IdleService => sized(|r, _| r.replicas_desired.filter(|n| *n > 0).map(|from| Remediation::Scale { replicas: 0, from }))?,
        Cause::ScaledToZero => sized(|r, _| back_from_zero(r))?,
        Cause::SuspiciousWorkload => Remediation::Quarantine,
    };
    Some(Action { service: service.clone(), remediation })
}

/// As [`remedy_for`], for the most pressing claim or certificate.
#[must_use]
pub fn remedy(cause: Cause, service: &ServiceId, context: &DiagnosisContext) -> Option<Action> {
    remedy_for(cause, service, None, context)
}

fn container(readings: &Readings, service: &ServiceId) -> String {
    readings.container.clone().unwrap_or_else(|| service.name.clone())
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite() && *v > 0.0)
}

fn memory_limit(readings: &Readings, service: &ServiceId) -> Option<Remediation> {
    let limit = positive(readings.memory_limit_bytes)?;
    let seen = positive(readings.memory_working_set_max_bytes).unwrap_or(limit);
    let bytes = (seen * MEMORY_HEADROOM).max(limit * MEMORY_STEP);
    Some(Remediation::SetMemoryLimit { container: container(readings, service), limit_bytes: whole(bytes, MIB) })
}

fn previous_revision(readings: &Readings) -> Option<Remediation> {
    let (now, before) = readings.revision?;
    (before > 0 && before != now).then_some(Remediation::Rollback { to_revision: before })
}

fn more_replicas(readings: &Readings) -> Option<Remediation> {
    let from = readings.replicas_desired.filter(|n| *n > 0)?;
    let by_rate = positive(readings.request_rate).zip(positive(readings.request_rate_usual)).map(|(now, usual)| now / usual);
    let by_cpu = positive(readings.cpu_utilization).map(|used| used / CPU_TARGET);
    let ratio = by_rate.into_iter().chain(by_cpu).fold(f64::NAN, f64::max);
    if ratio.is_nan() {
        return None;
    }
    let wanted = (f64::from(from) * ratio - 1e-6).ceil().min(f64::from(u32::MAX / SCALE_MAX)) as u32;
    Some(Remediation::Scale { replicas: wanted.clamp(from + 1, (from * SCALE_MAX).max(from + 1)), from })
}

/// Where an autoscaler sets the replicas it gets room, once it has used up what it had; before, it is at work already.
fn more_room(readings: &Readings) -> Option<Remediation> {
    let more = more_replicas(readings)?;
    let (Some(autoscaler), Remediation::Scale { replicas, from }) = (&readings.autoscaler, &more) else { return Some(more) };
    (*from >= autoscaler.max).then(|| Remediation::SetReplicaBounds {
        autoscaler: autoscaler.name.clone(),
        min: autoscaler.min.max(1),
        max: *replicas,
        from_max: autoscaler.max,
    })
}

/// As many as there were, within what one act may add to none.
fn back_from_zero(readings: &Readings) -> Option<Remediation> {
    let before = readings.replicas_before_zero.filter(|_| readings.replicas_desired == Some(0))?;
    Some(Remediation::Scale { replicas: before.clamp(1, SCALE_FACTOR_MAX), from: 0 })
}

fn larger_volume(readings: &Readings, object: Option<&str>) -> Option<Remediation> {
    let usable = |(_, capacity, available, growth): &&(String, f64, f64, f64)| {
        capacity.is_finite() && *capacity > 0.0 && available.is_finite() && growth.is_finite()
    };
    let full = |v: &(String, f64, f64, f64)| 1.0 - v.2 / v.1;
    let (claim, capacity, available, growth) = match object {
        Some(name) => readings.volumes.iter().filter(usable).find(|v| v.0 == name)?,
        None => readings.volumes.iter().filter(usable).filter(|v| full(v) >= VOLUME_USED).max_by(|a, b| full(a).total_cmp(&full(b)))?,
    };
    let lasting = capacity - available + growth.max(0.0) * VOLUME_LASTS_S;
    let size = lasting.clamp(capacity * VOLUME_STEP, capacity * VOLUME_MAX);
    Some(Remediation::ExpandVolume { claim: claim.clone(), size_bytes: whole(size, GIB) })
}

fn renewal(readings: Option<&Readings>, object: Option<&str>) -> Option<Remediation> {
    let soonest = || readings?.certificates.iter().filter(|c| c.1.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1)).map(|c| c.0.as_str());
    object.or_else(soonest).map(|secret| Remediation::RenewCertificate { secret: secret.to_owned() })
}

fn rightsized(readings: &Readings, service: &ServiceId) -> Option<Remediation> {
    let cpu = readings.cpu_p95_cores.filter(|v| v.is_finite() && *v >= 0.0)?;
    let memory = positive(readings.memory_working_set_max_bytes)?;
    let millicores = ((cpu * 1000.0 / CPU_STEP_MILLICORES - 1e-6).ceil().max(0.0) * CPU_STEP_MILLICORES) as u64;
    Some(Remediation::SetResources {
        container: container(readings, service),
        cpu_request_millicores: millicores.max(CPU_FLOOR_MILLICORES),
        memory_bytes: whole((memory * RIGHTSIZE_MEMORY).max(MEMORY_FLOOR_MIB * MIB), MIB),
    })
}

/// Rounded up to whole units.
fn whole(bytes: f64, unit: f64) -> u64 {
    ((bytes / unit - 1e-6).ceil() * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::graph::ServiceGraph;
    use picket_core::ports::Autoscaler;
    use picket_core::time::Timestamp;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn sized(cause: Cause, readings: Readings) -> Option<Remediation> {
        let service = ServiceId::new("c", "n", "cart");
        let context = DiagnosisContext {
            graph: Arc::new(ServiceGraph::default()),
            facts: None,
            changes: Vec::new(),
            readings: BTreeMap::from([(service.clone(), readings)]),
            now: Timestamp(0),
            reliability: Default::default(),
            post_mortems: Default::default(),
        };
        remedy(cause, &service, &context).map(|a| a.remediation)
    }

    #[test]
    fn a_memory_limit_grows_by_half_or_to_a_quarter_above_the_highest_seen() {
        let limit = |mib: f64, seen: f64| {
            sized(
                Cause::MemoryLimitTooLow,
                Readings { memory_limit_bytes: Some(mib * MIB), memory_working_set_max_bytes: Some(seen * MIB), ..Readings::default() },
            )
        };
        let to = |mib: u64| Some(Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: mib << 20 });
        assert_eq!(limit(256.0, 250.0), to(384));
        assert_eq!(limit(256.0, 400.0), to(500));
        assert_eq!(limit(f64::NAN, 400.0), None);
        assert_eq!(sized(Cause::MemoryLimitTooLow, Readings::default()), None);
    }

    #[test]
    fn scaling_follows_the_load_never_below_one_more_never_above_twice() {
        let scale = |from: u32, rate: Option<f64>, cpu: Option<f64>| match sized(
            Cause::LoadSurge,
            Readings {
                replicas_desired: Some(from),
                request_rate: rate,
                request_rate_usual: Some(100.0),
                cpu_utilization: cpu,
                ..Readings::default()
            },
        ) {
            Some(Remediation::Scale { replicas, from: was }) => {
                assert_eq!(was, from);
                Some(replicas)
            }
            _ => None,
        };
        assert_eq!(scale(4, Some(150.0), None), Some(6));
        assert_eq!(scale(4, Some(101.0), None), Some(5));
        assert_eq!(scale(4, Some(90.0), None), Some(5));
        assert_eq!(scale(4, Some(900.0), None), Some(8));
        assert_eq!(scale(1, Some(900.0), None), Some(2));
        assert_eq!(scale(4, None, Some(0.9)), Some(6));
        assert_eq!(scale(0, Some(200.0), None), None);
        assert_eq!(scale(4, Some(f64::INFINITY), None), None);
    }

    #[test]
    fn an_autoscaler_gets_room_when_it_has_none_left() {
        let surge = |from: u32, max: u32| {
            let autoscaler = Some(Autoscaler { name: "cart".into(), min: 2, max });
            sized(
                Cause::LoadSurge,
                Readings { replicas_desired: Some(from), cpu_utilization: Some(0.9), autoscaler, ..Readings::default() },
            )
        };
        assert_eq!(surge(4, 6), None, "it is at work");
        assert_eq!(surge(6, 6), Some(Remediation::SetReplicaBounds { autoscaler: "cart".into(), min: 2, max: 9, from_max: 6 }));
    }

    #[test]
    fn rollback_goes_to_the_revision_before() {
        let back = |revision| sized(Cause::BadDeployment, Readings { revision, ..Readings::default() });
        assert_eq!(back(Some((7, 5))), Some(Remediation::Rollback { to_revision: 5 }));
        assert_eq!(back(Some((1, 0))), None);
        assert_eq!(back(None), None);
    }

    #[test]
    fn volumes_grow_by_half_and_last_a_week_within_reason() {
        let grow = |growth: f64| {
            sized(
                Cause::DiskFilling,
                Readings {
                    volumes: vec![("small".into(), GIB, GIB * 0.9, 0.0), ("data".into(), 10.0 * GIB, GIB, growth)],
                    ..Readings::default()
                },
            )
        };
        let to = |gib: u64| Some(Remediation::ExpandVolume { claim: "data".into(), size_bytes: gib << 30 });
        assert_eq!(grow(0.0), to(15));
        assert_eq!(grow(GIB / 86_400.0), to(16));
        assert_eq!(grow(GIB), to(40));
        assert_eq!(sized(Cause::DiskFilling, Readings::default()), None);
    }

    #[test]
    fn rightsizing_has_floors() {
        let to = |cpu: f64, mib: f64| {
            sized(
                Cause::OverRequested,
                Readings { cpu_p95_cores: Some(cpu), memory_working_set_max_bytes: Some(mib * MIB), ..Readings::default() },
            )
        };
        let expect = |cpu: u64, mib: u64| {
            Some(Remediation::SetResources { container: "cart".into(), cpu_request_millicores: cpu, memory_bytes: mib << 20 })
        };
        assert_eq!(to(0.121, 200.0), expect(130, 230));
        assert_eq!(to(0.001, 10.0), expect(25, 64));
        assert_eq!(to(f64::NAN, 10.0), None);
    }

    #[test]
    fn the_rest() {
        assert_eq!(
            sized(Cause::IdleService, Readings { replicas_desired: Some(3), ..Readings::default() }),
            Some(Remediation::Scale { replicas: 0, from: 3 })
        );
        assert_eq!(sized(Cause::IdleService, Readings { replicas_desired: Some(0), ..Readings::default() }), None);
        let back = |desired, before| {
            let readings = Readings { replicas_desired: Some(desired), replicas_before_zero: before, ..Readings::default() };
            sized(Cause::ScaledToZero, readings)
        };
        for (before, replicas) in [(3, 3), (0, 1), (40, 4)] {
            assert_eq!(back(0, Some(before)), Some(Remediation::Scale { replicas, from: 0 }), "{before}");
        }
        assert_eq!((back(0, None), back(2, Some(3))), (None, None));
        assert_eq!(
            sized(
                Cause::CertificateExpiring,
                Readings { certificates: vec![("later".into(), 9e6), ("soon".into(), 3600.0)], ..Readings::default() }
            ),
            Some(Remediation::RenewCertificate { secret: "soon".into() })
        );
        assert_eq!(sized(Cause::SuspiciousWorkload, Readings::default()), Some(Remediation::Quarantine));
        assert_eq!(sized(Cause::StuckProcess, Readings::default()), Some(Remediation::RolloutRestart));
        assert_eq!(sized(Cause::SlowDependency, Readings::default()), None);
    }
}
