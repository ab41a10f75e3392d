//! Dies where it hurts: the actuator's ports, each of which can end the process at one step of an act, as a power cut would. Only for tests,
//! and only on simulated clusters.
//!
//! The step is the text of a file; whoever dies there removes it first, so that the next life goes on.

use picket_core::audit::{AuditEntry, AuditRecord};
use picket_core::claim::ClaimedAction;
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerEntry, WatchPage};
use picket_core::ids::{EntryId, RequestId};
use picket_core::outcome::Receipt;
use picket_core::ports::{AuditLog, Before, Coordinator, Journal, JournalEntry, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use std::path::PathBuf;

/// The variable that names the folder of these files; without it nothing dies.
pub const VARIABLE: &str = "PICKET_FAILPOINTS";

/// The steps of an act, in their order; each is over when the process dies.
pub const STEPS: [&str; 9] = ["checked", "read", "audited", "journaled", "claimed", "written", "noted", "recorded", "reported"];

/// A port at which the process may die.
#[derive(Clone, Debug)]
pub struct Failing<P> {
    port: P,
    /// Of this cluster's actuator; `None` where nothing is to fail.
    file: Option<PathBuf>,
}

impl<P> Failing<P> {
    /// `file` holds the step to die after, when it is there.
    pub const fn new(port: P, file: Option<PathBuf>) -> Self {
        Self { port, file }
    }

    fn after(&self, step: &str) {
        let Some(file) = &self.file else { return };
        if std::fs::read_to_string(file).is_ok_and(|wanted| wanted == step) && std::fs::remove_file(file).is_ok() {
            tracing::warn!(step, "dies here, as told");
            // No destructor runs and nothing is flushed.
            _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl<C: Coordinator> Coordinator for Failing<C> {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        let step = match &command {
            Command::Claim { .. } => Some("claimed"),
            Command::Report { .. } => Some("reported"),
            _ => None,
        };
        let answer = self.port.submit(request_id, command).await;
        if let (Some(step), Ok(Answer::Claimed { .. } | Answer::Done)) = (step, &answer) {
            self.after(step);
        }
        answer
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        self.port.status().await
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        self.port.entries(settled_max).await
    }

    async fn watch(&self, revision: u64, wait_ms: u64) -> PortResult<WatchPage> {
        self.port.watch(revision, wait_ms).await
    }
}

impl<X: RemediationExecutor> RemediationExecutor for Failing<X> {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        let before = self.port.prepare(work).await?;
        self.after("read");
        Ok(before)
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        let receipt = self.port.execute(claimed, before, now).await?;
        self.after("written");
        Ok(receipt)
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        self.port.prove(entry, token, work, before, now).await
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        self.port.fence(work, token).await
    }

    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        self.port.fence_all(token).await
    }

    async fn abandon(&self, work: &Work) -> PortResult<()> {
        self.port.abandon(work).await
    }
}

impl<A: AuditLog> AuditLog for Failing<A> {
    async fn append(&self, entry: AuditEntry) -> PortResult<AuditRecord> {
        let step = match entry.kind.as_str() {
            "claim_intent" => Some("audited"),
            "applied" | "undone" | "no_effect" | "cannot_tell" => Some("recorded"),
            _ => None,
        };
        let record = self.port.append(entry).await?;
        if let Some(step) = step {
            self.after(step);
        }
        Ok(record)
    }

    async fn read(&self, from_seq: u64, max: usize) -> PortResult<Vec<AuditRecord>> {
        self.port.read(from_seq, max).await
    }
}

impl<J: Journal> Journal for Failing<J> {
    async fn write(&self, entry: &JournalEntry) -> PortResult<()> {
        self.port.write(entry).await?;
        self.after(if entry.report.is_some() { "noted" } else { "journaled" });
        Ok(())
    }

    async fn open_entries(&self) -> PortResult<Vec<JournalEntry>> {
        self.port.open_entries().await
    }

    async fn forget(&self, entry: &EntryId) -> PortResult<()> {
        self.port.forget(entry).await
    }

    async fn raise(&self, scope: &Scope, token: FencingToken) -> PortResult<bool> {
        let raised = self.port.raise(scope, token).await?;
        self.after("checked");
        Ok(raised)
    }
}
