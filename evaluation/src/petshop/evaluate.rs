//! Runs the ranking on every incident, and on normal windows.

use super::read::{Incident, Metrics, Scenario, scenarios};
use crate::root_cause::{NormalWindows, Placed, RootCauseReport, by_largest_z, position};
use crate::{Dataset, DatasetError};
use picket_diagnosis::root_cause::{Alert, MetricKind, Normality, Period, Series, WindowShape, rank};
use std::collections::{BTreeMap, BTreeSet};

/// What is complained about: node, metric, statistic.
type Complaint = (String, String, String);

fn kind(metric: &str) -> MetricKind {
    match metric {
        "latency" => MetricKind::Latency,
        "availability" => MetricKind::Availability,
        "requests" => MetricKind::Traffic,
        _ => MetricKind::Other,
    }
}

/// The complaint's metric in the complaint's statistic, and requests, of every node.
fn period(metrics: &Metrics, metric: &str, statistic: &str) -> Period {
    let wanted = metrics.columns.iter().filter(|((_, m, s), _)| (m == metric && s == statistic) || m == "requests");
    let series = wanted.map(|((node, metric, _), readings)| Series {
        node: node.clone(),
        instance: String::new(),
        metric: metric.clone(),
        kind: kind(metric),
        readings: readings.clone(),
    });
    Period { series: series.collect(), usable: Vec::new() }
}

/// Steps before the one in which the complaint came, at least one, and the rest.
fn shape(incident: &Incident) -> WindowShape {
    let rows = incident.metrics.times.len();
    let begun = incident.metrics.times.partition_point(|time| *time <= incident.at);
    let before = begun.saturating_sub(1).clamp(1, rows.saturating_sub(1).max(1));
    WindowShape { before, during: rows.saturating_sub(before).max(1) }
}

fn place(scenario: &Scenario, incident: &Incident, learned: &mut BTreeMap<(WindowShape, Complaint), Normality>) -> Placed {
    let shape = shape(incident);
    let complaint = (incident.node.clone(), incident.metric.clone(), incident.statistic.clone());
    let normal = period(&scenario.normal, &incident.metric, &incident.statistic);
    let normality = learned.entry((shape, complaint)).or_insert_with(|| Normality::learn(&normal, shape));
    let window = period(&incident.metrics, &incident.metric, &incident.statistic);
    let alert = Alert { node: incident.node.clone(), kind: Some(kind(&incident.metric)) };
    let ranking = rank(&normality.read(&window), &scenario.graph, &alert);
    // The comparison wants the same series on both sides.
    let common: BTreeSet<_> = window.series.iter().map(|s| (&s.node, &s.metric)).collect();
    let usual: Vec<_> = normal.series.iter().filter(|s| common.contains(&(&s.node, &s.metric))).cloned().collect();
    let known: BTreeSet<_> = usual.iter().map(|s| (s.node.clone(), s.metric.clone())).collect();
    let mut shown = window.clone();
    shown.series.retain(|s| known.contains(&(s.node.clone(), s.metric.clone())));
    let usual = Period { series: usual, usable: Vec::new() };
    Placed {
        case: incident.name.clone(),
        part: incident.part.clone(),
        truth: incident.root_cause.clone(),
        position: position(&ranking, &incident.root_cause, |_| true),
        named: ranking.stands_out,
        first: ranking.suspects.first().map(|s| s.node.clone()),
        reasons: ranking.suspects.first().map(|s| s.reasons.clone()).unwrap_or_default(),
        by_largest_z: by_largest_z(&usual, &shown, shape.before, &incident.root_cause),
    }
}

/// Every window of the normal period, in the shape that most incidents have, for every complaint that the incidents make. What is
/// normal is learned from the other half of the period, so that no window is judged by itself.
fn normal_windows(scenario: &Scenario, count: &mut (usize, usize)) {
    let mut shapes: BTreeMap<WindowShape, usize> = BTreeMap::new();
    scenario.incidents.iter().for_each(|i| *shapes.entry(shape(i)).or_default() += 1);
    let Some((shape, _)) = shapes.into_iter().max_by_key(|(_, count)| *count) else { return };
    let complaints: BTreeSet<Complaint> =
        scenario.incidents.iter().map(|i| (i.node.clone(), i.metric.clone(), i.statistic.clone())).collect();
    let rows = scenario.normal.times.len();
    for (node, metric, statistic) in complaints {
        let whole = period(&scenario.normal, &metric, &statistic);
        let alert = Alert { node, kind: Some(kind(&metric)) };
        for half in [0..rows / 2, rows / 2..rows] {
            let other = Period { usable: (0..rows).map(|row| !half.contains(&row)).collect(), ..whole.clone() };
            let normality = Normality::learn(&other, shape);
            for from in half.start..(half.end + 1).saturating_sub(shape.length()) {
                let evidence = normality.read(&whole.window(from as i64, shape.length()));
                count.0 += 1;
                count.1 += usize::from(rank(&evidence, &scenario.graph, &alert).stands_out);
            }
        }
    }
}

/// Ranks every incident of the set and looks at its normal windows; `progress` is told what is done, of how much.
///
/// An incident's window is its file: the steps before the one that holds the complaint are the level just before, the rest is the
/// incident; normal is the scenario's whole normal period. Specificity: every window of the normal period (a new one begins at every
/// step) in the shape that most incidents have, taken for every complaint (node, metric, statistic) that the scenario's incidents make,
/// judged by what the other half of the period teaches; the share of them in which no cause is named.
///
/// # Errors
/// When a file cannot be read or is not what it should be.
pub fn evaluate(set: &Dataset, mut progress: impl FnMut(usize, usize)) -> Result<RootCauseReport, DatasetError> {
    let scenarios = scenarios(set)?;
    let total = scenarios.iter().map(|s| s.incidents.len() + 1).sum();
    let (mut placed, mut normal, mut done) = (Vec::new(), NormalWindows::new(), 0);
    for scenario in &scenarios {
        let mut learned = BTreeMap::new();
        for incident in &scenario.incidents {
            placed.push(place(scenario, incident, &mut learned));
            done += 1;
            progress(done, total);
        }
        normal_windows(scenario, normal.entry(scenario.name.clone()).or_default());
        done += 1;
        progress(done, total);
    }
    Ok(RootCauseReport::new(placed, &normal))
}
