//! Counts what a role asks and hears at its ports, for `/metrics`. The pipeline itself records nothing.

use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerEntry, WatchPage};
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::RequestId;
use picket_core::incident::Incident;
use picket_core::outcome::Report;
use picket_core::ports::{Coordinator, DiagnosisContext, DiagnosticEngine, Notifier, PortResult};

/// A port whose calls are counted.
#[derive(Clone, Debug)]
pub struct Counted<P>(pub P);

impl<C: Coordinator> Coordinator for Counted<C> {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        let (asked, detail) = words(&command);
        let answer = self.0.submit(request_id, command).await;
        let heard = match &answer {
            Ok(Answer::Decided { decision, .. }) => decision.as_str(),
            Ok(Answer::Refused { .. }) => "refused",
            Ok(_) => "done",
            Err(_) => "failed",
        };
        metrics::counter!("picket_commands_total", "command" => asked, "detail" => detail, "answer" => heard).increment(1);
        answer
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        self.0.status().await
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        self.0.entries(settled_max).await
    }

    async fn watch(&self, revision: u64, wait_ms: u64) -> PortResult<WatchPage> {
        self.0.watch(revision, wait_ms).await
    }
}

/// What is asked, and what an operator wants to tell apart in it. Only what roles ask: whoever asks in a person's name is counted by the coordinator.
fn words(command: &Command) -> (&'static str, &'static str) {
    match command {
        Command::Propose { .. } | Command::ProposeRuled { .. } => ("propose", ""),
        Command::Refresh { .. } => ("refresh", ""),
        Command::Register => ("register", ""),
        Command::PostFacts { .. } => ("post_facts", ""),
        Command::Claim { .. } => ("claim", ""),
        Command::Report { report: Report::Applied { .. }, .. } => ("report", "applied"),
        Command::Report { report: Report::NoEffect { .. }, .. } => ("report", "no_effect"),
        Command::Report { report: Report::CannotTell { .. }, .. } => ("report", "cannot_tell"),
        Command::ForeignEvidence { evidence, .. } => ("foreign_evidence", if evidence.agrees { "agrees" } else { "contradicts" }),
        Command::Grade { outcome, .. } => ("grade", outcome.as_str()),
        Command::FenceRaised { .. } => ("fence_raised", ""),
        _ => ("other", ""),
    }
}

impl<E: DiagnosticEngine> DiagnosticEngine for Counted<E> {
    async fn diagnose(&self, incident: &Incident, context: &DiagnosisContext) -> PortResult<Diagnosis> {
        let started = std::time::Instant::now();
        let diagnosis = self.0.diagnose(incident, context).await;
        metrics::histogram!("picket_diagnosis_seconds").record(started.elapsed().as_secs_f64());
        let verdict = match diagnosis.as_ref().map(|d| &d.verdict) {
            Ok(Verdict::Cause { cause, .. }) => cause.as_str(),
            Ok(Verdict::Abstained { .. }) => "abstained",
            Err(_) => "failed",
        };
        metrics::counter!("picket_diagnoses_total", "verdict" => verdict).increment(1);
        diagnosis
    }
}

impl<N: Notifier> Notifier for Counted<N> {
    async fn notify(&self, key: &str, text: &str) -> PortResult<()> {
        let sent = self.0.notify(key, text).await;
        metrics::counter!("picket_pages_total", "result" => if sent.is_ok() { "sent" } else { "failed" }).increment(1);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use picket_core::ports::PortError;

    /// A pager that is away.
    struct Away;

    impl Notifier for Away {
        async fn notify(&self, _: &str, _: &str) -> PortResult<()> {
            Err(PortError::Unavailable { what: "the pager".into(), why: "away".into() })
        }
    }

    /// A coordinator that refuses everything.
    struct Stern;

    impl Coordinator for Stern {
        async fn submit(&self, _: RequestId, _: Command) -> PortResult<Answer> {
            Ok(Answer::Refused { violations: Vec::new() })
        }

        async fn status(&self) -> PortResult<CoordinatorStatus> {
            unreachable!("not asked")
        }

        async fn entries(&self, _: usize) -> PortResult<Vec<LedgerEntry>> {
            Ok(Vec::new())
        }

        async fn watch(&self, _: u64, _: u64) -> PortResult<WatchPage> {
            unreachable!("not asked")
        }
    }

    #[test]
    fn what_is_asked_and_heard_is_counted_and_passed_on() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let outcome = picket_core::outcome::Outcome::Regressed { why: "worse".into() };
                let grade = Command::Grade { entry: "e-1".into(), observer_epoch: 1, outcome };
                let answer = Counted(Stern).submit("r-1".into(), grade).await;
                assert!(matches!(answer, Ok(Answer::Refused { .. })));
                assert!(Counted(Away).notify("key", "text").await.is_err());
            });
        });
        let said = recorder.handle().render();
        let has = |line: &str| assert!(said.lines().any(|l| l == line), "{line} is not in\n{said}");
        has("picket_commands_total{command=\"grade\",detail=\"regressed\",answer=\"refused\"} 1");
        has("picket_pages_total{result=\"failed\"} 1");
    }
}
