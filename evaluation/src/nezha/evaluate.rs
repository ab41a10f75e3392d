//! Runs the ranking on every fault of a day, and on normal windows.

use super::read::{Day, day as read_day};
use crate::root_cause::{NormalWindows, Placed, RootCauseReport, by_largest_z, position};
use crate::{Dataset, DatasetError};
use picket_diagnosis::root_cause::{Alert, MetricKind, Normality, Period, WindowShape, rank};

/// Faults last three minutes; five minutes before are the level just before.
const SHAPE: WindowShape = WindowShape { before: 5, during: 3 };
/// Rows around an injection that are not normal: the step before, the fault, and five steps of recovery.
const DISTURBED_BEFORE: usize = 1;
const DISTURBED_AFTER: usize = 8;

fn usable(day: &Day) -> Vec<bool> {
    let disturbed =
        |row: usize| day.faults.iter().any(|f| (f.row.saturating_sub(DISTURBED_BEFORE)..f.row + DISTURBED_AFTER).contains(&row));
    (0..day.period.rows()).map(|row| !disturbed(row)).collect()
}

/// Readings that the comparison by the largest z-score takes: eight metrics of pods.
fn compared(period: &Period, services: &[String]) -> Period {
    let drop = ["PodServerLatencyP95(s)", "PodServerLatencyP99(s)"];
    let of_pods = |s: &&picket_diagnosis::root_cause::Series| {
        services.contains(&s.node) && s.kind != MetricKind::Network && !drop.contains(&s.metric.as_str()) && s.instance.starts_with(&s.node)
    };
    Period { series: period.series.iter().filter(of_pods).cloned().collect(), usable: period.usable.clone() }
}

/// Ranks the services for every fault of a day and looks at its normal windows; `progress` is told what is done, of how much.
///
/// Normal is the day without the listed faults. A case is right when the service whose pod was injected is first (among the first
/// three, five) of the services that have pods. Normal windows are judged by the other half of the day.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or the set holds no such day.
pub fn evaluate(set: &Dataset, day: &str, mut progress: impl FnMut(usize, usize)) -> Result<RootCauseReport, DatasetError> {
    let mut read = read_day(set, day)?;
    read.period.usable = usable(&read);
    let day_name = day;
    let day = &read;
    let total = day.faults.len() + 2;
    let normality = Normality::learn(&day.period, SHAPE);
    let alert = Alert { node: day.front.clone(), kind: None };
    let is_service = |node: &str| day.services.iter().any(|s| s == node);
    let mut placed = Vec::new();
    let usual = compared(&day.period, &day.services);
    for fault in &day.faults {
        let window = day.period.window(fault.row as i64 - SHAPE.before as i64, SHAPE.length());
        let ranking = rank(&normality.read(&window), &day.graph, &alert);
        let first = ranking.suspects.iter().find(|s| is_service(&s.node));
        let shown = compared(&window, &day.services);
        placed.push(Placed {
            case: fault.what.clone(),
            part: day_name.to_owned(),
            truth: fault.service.clone(),
            position: position(&ranking, &fault.service, is_service),
            named: ranking.stands_out,
            first: first.map(|s| s.node.clone()),
            reasons: first.map(|s| s.reasons.clone()).unwrap_or_default(),
            by_largest_z: by_largest_z(&usual, &shown, SHAPE.before, &fault.service),
        });
        progress(placed.len(), total);
    }
    let rows = day.period.rows();
    let mut count = (0, 0);
    for (done, half) in [0..rows / 2, rows / 2..rows].into_iter().enumerate() {
        let usable = day.period.usable.iter().enumerate().map(|(row, usable)| *usable && !half.contains(&row)).collect();
        let normality = Normality::learn(&Period { usable, ..day.period.clone() }, SHAPE);
        for from in half.start..(half.end + 1).saturating_sub(SHAPE.length()) {
            if !day.period.are_usable(from..from + SHAPE.length()) {
                continue;
            }
            let evidence = normality.read(&day.period.window(from as i64, SHAPE.length()));
            count.0 += 1;
            count.1 += usize::from(rank(&evidence, &day.graph, &alert).stands_out);
        }
        progress(day.faults.len() + done + 1, total);
    }
    Ok(RootCauseReport::new(placed, &NormalWindows::from([(day_name.to_owned(), count)])))
}
