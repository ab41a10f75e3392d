//! A run's score as a table for people.

use picket_loadtest::report::Report;
use std::fmt;

/// Prints a score.
pub struct ScoreTable<'a>(pub &'a Report);

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s"))
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"))
}

impl fmt::Display for ScoreTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let score = self.0;
        let broken: Vec<_> = score.violations.iter().filter(|(_, n)| **n > 0).map(|(i, n)| format!("{} {n}x", i.as_str())).collect();
        let rows = [
            ("incidents detected", format!("{} of {}", score.incidents_detected, score.incidents_injected)),
            ("time to detect (p50, p95)", format!("{}, {}", seconds(score.mttd_p50_s), seconds(score.mttd_p95_s))),
            ("time to recover (p50, p95)", format!("{}, {}", seconds(score.mttr_p50_s), seconds(score.mttr_p95_s))),
            (
                "right cause, when one was named",
                format!("{} (at least {})", share(score.diagnosis_accuracy), share(score.diagnosis_accuracy_low)),
            ),
            ("calibration error, Brier score", format!("{}, {}", figure(score.ece), figure(score.brier))),
            ("uncatalogued causes abstained", format!("{} of {}", score.uncatalogued_abstained, score.uncatalogued)),
            ("acts applied, undone", format!("{}, {}", score.actions_applied, score.actions_undone)),
            ("traps acted on", format!("{} of {}", score.traps_acted_on, score.traps)),
            ("false incidents", share(Some(score.false_positive_rate))),
            ("violations of I1-I12", if broken.is_empty() { "0".to_owned() } else { broken.join(", ") }),
        ];
        for (what, value) in rows {
            writeln!(f, "  {what:<32} {value}")?;
        }
        Ok(())
    }
}
