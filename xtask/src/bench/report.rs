//! The table.

use super::measure::median;
use serde_json::Value;
use std::fmt::Write as _;

/// What the table is called in the document.
pub const NAME: &str = "cargo xtask bench coordinator";

/// One number of clients: the reports of its rounds.
pub struct CycleRow {
    /// Clients.
    pub clients: usize,
    /// Picket's.
    pub picket: Vec<Value>,
    /// etcd's, under a lease that was granted before.
    pub standing: Vec<Value>,
    /// etcd's, each under a lease of its own.
    pub fresh: Vec<Value>,
}

/// All that was measured.
#[derive(Default)]
pub struct Report {
    /// What on.
    pub machine: String,
    /// How picket was built.
    pub profile: String,
    /// What was typed after `cargo xtask`.
    pub command: String,
    /// Which etcd.
    pub etcd: Option<String>,
    /// Cycles.
    pub cycles: Vec<CycleRow>,
    /// Each kill.
    pub failover_ms: Vec<f64>,
    /// Each kill.
    pub etcd_failover_ms: Vec<f64>,
    /// Live leases.
    pub leases: Option<usize>,
    /// Of each process, with those leases.
    pub resident_mb: Vec<f64>,
    /// Of acquires, before.
    pub p99_empty_ms: Option<f64>,
    /// Of acquires, beside them.
    pub p99_full_ms: Option<f64>,
    /// Megabytes of log, and seconds until the node answered.
    pub restart: Option<(u64, f64)>,
}

fn of(reports: &[Value], key: &str) -> f64 {
    median(reports.iter().filter_map(|r| r[key].as_f64()).collect())
}

fn errors(reports: &[Value]) -> u64 {
    reports.iter().filter_map(|r| r["errors"].as_u64()).sum()
}

impl Report {
    /// As it goes into the document.
    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.heading());
        if !self.cycles.is_empty() {
            text.push_str(&self.cycle_table());
        }
        for line in self.lines() {
            _ = writeln!(text, "- {line}");
        }
        text
    }

    fn heading(&self) -> String {
        let etcd = self.etcd.as_ref().map(|version| format!(" beside {version}")).unwrap_or_default();
        format!(
            "`cargo xtask {}`: three processes on loopback, mutual TLS, fdatasync{etcd} (three processes, its defaults).\n\
             Machine: {}. Profile: {}.\n",
            self.command, self.machine, self.profile
        )
    }

    fn cycle_table(&self) -> String {
        let mut text = String::from(
            "| clients | picket, cycles/s | etcd, standing lease | picket is | etcd, fresh leases | picket is | picket, acquire p50 / p99 ms | etcd, acquire p50 / p99 ms | errors |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.cycles {
            let picket = of(&row.picket, "cycles_per_s");
            let beside = |other: &[Value]| {
                if other.is_empty() {
                    return ("-".to_owned(), "-".to_owned());
                }
                let theirs = of(other, "cycles_per_s");
                (format!("{theirs:.0}"), format!("{:.1}x", picket / theirs))
            };
            let ((standing, times), (fresh, times_fresh)) = (beside(&row.standing), beside(&row.fresh));
            let latency = |reports: &[Value]| match reports {
                [] => "-".to_owned(),
                all => format!("{:.2} / {:.2}", of(all, "acquire_p50_ms"), of(all, "acquire_p99_ms")),
            };
            _ = writeln!(
                text,
                "| {} | {picket:.0} | {standing} | {times} | {fresh} | {times_fresh} | {} | {} | {} |",
                row.clients,
                latency(&row.picket),
                latency(&row.standing),
                errors(&row.picket) + errors(&row.standing) + errors(&row.fresh),
            );
        }
        text.push('\n');
        text
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let spread = |all: &[f64]| {
            let (least, most) = all.iter().fold((f64::INFINITY, 0.0f64), |(least, most), ms| (least.min(*ms), most.max(*ms)));
            format!("median {:.0} ms of {} ({least:.0} to {most:.0})", median(all.to_vec()), all.len())
        };
        if !self.failover_ms.is_empty() {
            let etcd = if self.etcd_failover_ms.is_empty() { String::new() } else { format!("; etcd {}", spread(&self.etcd_failover_ms)) };
            lines.push(format!("kill -9 of the leader until the next acquire: picket {}{etcd}", spread(&self.failover_ms)));
        }
        if let (Some(leases), Some(empty), Some(full)) = (self.leases, self.p99_empty_ms, self.p99_full_ms) {
            let resident = self.resident_mb.iter().copied().fold(0.0, f64::max);
            lines.push(format!(
                "{leases} live leases: {resident:.0} MB resident (the largest of the three processes), acquire p99 at 16 clients {full:.2} ms, {empty:.2} ms when empty"
            ));
        }
        if let Some((log_mb, seconds)) = self.restart {
            lines.push(format!("restart of a node with a log of {log_mb} MB: {seconds:.1} s until it answers a linearizable read"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(cycles_per_s: f64, errors: u64) -> Value {
        json!({ "cycles_per_s": cycles_per_s, "acquire_p50_ms": 1.0, "acquire_p99_ms": 2.0, "errors": errors })
    }

    #[test]
    fn a_row_shows_medians_ratios_and_all_errors() {
        let row = CycleRow {
            clients: 16,
            picket: vec![run(900.0, 0), run(1000.0, 1), run(5000.0, 0)],
            standing: vec![run(100.0, 2), run(250.0, 0), run(300.0, 0)],
            fresh: Vec::new(),
        };
        let report = Report { cycles: vec![row], ..Report::default() };
        assert!(report.markdown().contains("| 16 | 1000 | 250 | 4.0x | - | - | 1.00 / 2.00 | 1.00 / 2.00 | 3 |"), "{}", report.markdown());
    }

    #[test]
    fn what_was_measured_once_each_is_a_line_each() {
        let report = Report { failover_ms: vec![3.0, 1.0, 2.0], restart: Some((1024, 1.44)), ..Report::default() };
        let text = report.markdown();
        assert!(text.contains("picket median 2 ms of 3 (1 to 3)\n") && text.contains("1024 MB: 1.4 s"), "{text}");
    }
}
