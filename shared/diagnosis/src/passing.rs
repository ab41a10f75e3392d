//! Deviations that pass by themselves: acting on them would be wrong, however well they can be explained.

use crate::engine::Settings;
use crate::signs::{SUSTAINED_MS, change_before, standing};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::incident::{ChangeKind, Incident};
use picket_core::ports::DiagnosisContext;
use picket_core::severity::has_impact;

/// Of the last minute's peak: failures and latency that have fallen below this are getting better by themselves.
const RECEDED: f64 = 0.65;
/// Of the last minute's peak: load that has fallen below this ebbs.
const EBBS: f64 = 0.9;
/// A container that crashes again and again is given this long after its rollout.
const CRASH_GRACE_MS: i64 = 30_000;
/// However it looks, a rollout this old is no longer given time.
const RECEDES_MAX_MS: i64 = 90_000;
/// Load over the usual below which a surge has ebbed.
const EBBED: f64 = 1.2;

/// Why this passes by itself, if it does. `leading` is the best explained cause, when one is well explained.
#[must_use]
pub fn passing(incident: &Incident, context: &DiagnosisContext, leading: Option<Cause>, settings: &Settings) -> Option<String> {
    if leading.is_some_and(|cause| crate::weights::profile(cause).standalone) {
        return None;
    }
    ended(incident, context, settings)
        .or_else(|| ebbing(incident, context, leading))
        .or_else(|| settling(incident, context, leading, settings))
        .or_else(|| receding(incident, context, leading))
}

/// Nothing that hurts has been seen in the newest windows. A kill is an event and a crash loop a state between events: these do not fade.
fn ended(incident: &Incident, context: &DiagnosisContext, settings: &Settings) -> Option<String> {
    let lasting = |s: Symptom| standing(s) || matches!(s, Symptom::OomKilled | Symptom::CrashLoop | Symptom::Restarts);
    if incident.anomalies.iter().any(|a| lasting(a.symptom)) {
        return None;
    }
    let hurts = incident.anomalies.iter().filter(|a| has_impact(a.symptom)).map(|a| a.last_seen).max();
    let newest = hurts.or_else(|| incident.anomalies.iter().map(|a| a.last_seen).max())?;
    let quiet_ms = context.now.since_ms(newest);
    (quiet_ms > settings.fading_ms).then(|| format!("nothing has deviated for {} s", quiet_ms / 1000))
}

/// More load, carried without harm, or already falling back.
fn ebbing(incident: &Incident, context: &DiagnosisContext, leading: Option<Cause>) -> Option<String> {
    if !matches!(leading, None | Some(Cause::LoadSurge)) {
        return None;
    }
    let Some(loaded) = incident.anomalies.iter().find(|a| a.symptom == Symptom::TrafficHigh) else {
        // The figures say so already, its detector not yet: it takes some windows.
        return leading.map(|_| "the load has only just risen and may ebb".to_owned());
    };
    let name = &loaded.service.name;
    if !incident.anomalies.iter().any(|a| has_impact(a.symptom)) {
        return Some(format!("{name} gets more requests than usual and answers them as well as ever"));
    }
    let readings = context.readings.get(&loaded.service)?;
    let ratio = readings.request_rate? / readings.request_rate_usual.filter(|usual| *usual > 0.0)?;
    if ratio < EBBED {
        return Some(format!("the load on {name} is back to {ratio:.1} times the usual"));
    }
    if let Some(of_peak) = readings.receding.request_rate.filter(|share| *share < EBBS) {
        return Some(format!("the load on {name} ebbs: it is {:.0} % of what it was within the last minute", of_peak * 100.0));
    }
    let since_ms = context.now.since_ms(loaded.onset);
    (leading.is_some() && since_ms < SUSTAINED_MS)
        .then(|| format!("the load on {name} has been high for only {} s and may ebb", since_ms / 1000))
}

/// A rollout so young that unavailable pods and a few errors belong to it.
fn settling(incident: &Incident, context: &DiagnosisContext, leading: Option<Cause>, settings: &Settings) -> Option<String> {
    if !matches!(leading, None | Some(Cause::BadDeployment | Cause::CrashLoop)) {
        return None;
    }
    incident.services.iter().find_map(|service| {
        let change = change_before(service, ChangeKind::Deployment, context.now, settings.rollout_settles_ms, context)?;
        let symptoms = incident.symptoms_of(service);
        let moving = symptoms.contains(&Symptom::ReplicasUnavailable) && !symptoms.contains(&Symptom::CrashLoop);
        let age_ms = context.now.since_ms(change.at);
        let grace_ms = match (moving, symptoms.contains(&Symptom::CrashLoop)) {
            (true, _) => settings.rollout_settles_ms,
            // What does not start warms up to nothing.
            (false, true) => settings.rollout_grace_ms.min(CRASH_GRACE_MS),
            (false, false) => settings.rollout_grace_ms,
        };
        (age_ms < grace_ms).then(|| format!("the rollout of {} is {} s old and may settle by itself", service.name, age_ms.max(0) / 1000))
    })
}

/// A young rollout whose trouble falls from window to window: caches warm up, pods become ready.
fn receding(incident: &Incident, context: &DiagnosisContext, leading: Option<Cause>) -> Option<String> {
    if !matches!(leading, None | Some(Cause::BadDeployment)) {
        return None;
    }
    incident.services.iter().find_map(|service| {
        change_before(service, ChangeKind::Deployment, context.now, RECEDES_MAX_MS, context)?;
        let figures = &context.readings.get(service)?.receding;
        let shown = incident.symptoms_of(service);
        let shares: Vec<f64> = [(Symptom::ErrorRateHigh, figures.errors), (Symptom::LatencyHigh, figures.latency)]
            .into_iter()
            .filter(|(symptom, _)| shown.contains(symptom))
            .map(|(_, share)| share.unwrap_or(1.0))
            .collect();
        let worst = shares.into_iter().reduce(f64::max).filter(|share| *share < RECEDED)?;
        Some(format!("the trouble of {} after its rollout recedes: it is {:.0} % of its peak", service.name, worst * 100.0))
    })
}
