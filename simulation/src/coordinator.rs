//! The coordinator as a role sees it: through a client that retries, over the simulated network.

use crate::foreign;
use crate::planted::{self, Fault};
use crate::site::Site;
use picket_adapters::in_memory::InMemoryAuditLog;
use picket_coordinator_simulation::client::{Client, NoAnswer};
use picket_coordinator_simulation::{Happening, Kind, World};
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerChange, LedgerEntry, WatchPage};
use picket_core::ids::RequestId;
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::outcome::Outcome;
use picket_core::permit::Permit;
use picket_core::ports::{AuditLog as _, Coordinator, PortError, PortResult};
use picket_core::proposal::Work;
use rand::RngExt as _;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What is special about whom it serves.
#[derive(Clone)]
pub enum Serves {
    /// Nothing.
    Anyone,
    /// The observer of the cluster.
    Observer,
    /// An actuator, whose audit log is looked into when it claims. Permits reach it altered, or once more, now and then.
    Actuator { audit: InMemoryAuditLog, site: Arc<Site> },
}

/// One caller's connection.
pub struct SimCoordinator {
    world: Arc<World>,
    serves: Serves,
    client: Mutex<Caller>,
}

struct Caller {
    client: Client,
    old: Vec<LedgerChange>,
    observer_epoch: u64,
}

fn failed(what: &str, why: NoAnswer) -> PortError {
    match why {
        NoAnswer::InTime => PortError::Timeout { what: what.to_owned() },
        NoAnswer::Refused(why) => PortError::Refused { what: what.to_owned(), why },
    }
}

impl SimCoordinator {
    pub fn new(world: &Arc<World>, client: Client, serves: Serves) -> Self {
        let caller = Caller { client, old: Vec::new(), observer_epoch: 0 };
        Self { world: world.clone(), serves, client: Mutex::new(caller) }
    }

    /// I8: what a claim names is on record when the claim leaves.
    async fn check_claim(&self, command: &Command) {
        let (Serves::Actuator { audit, .. }, Command::Claim { claim }) = (&self.serves, command) else { return };
        let records = audit.read(1, usize::MAX).await.unwrap_or_default();
        let on_record = records.iter().any(|r| r.hash == claim.audit_hash && r.entry.subject == claim.entry.as_str());
        if !on_record {
            let detail = format!("{} is claimed, and no audit record hashes to {}", claim.entry, claim.audit_hash);
            self.world.history().find(Kind::Invariant(Invariant::I8), detail);
        }
    }

    /// Somebody edits an object in the very moment in which it is claimed.
    fn edit_what_is_claimed(&self, caller: &mut Caller, answer: &Answer) {
        let (Serves::Actuator { site, .. }, Answer::Claimed { confirmation }) = (&self.serves, answer) else { return };
        if self.world.history().healed_ms.is_some() || !caller.client.rng.random_bool(0.15) {
            return;
        }
        let claimed = caller.old.iter().find(|change| change.entry.id == confirmation.body.entry);
        if let Some(change) = claimed {
            foreign::note(site, &change.entry.work.action().service, "claimed");
            self.world.history().happened(Happening::ForeignChange);
        }
    }

    /// What somebody on the wire, or a bus that delivers twice, may do to an actuator's news.
    fn meddle(&self, caller: &mut Caller, page: &mut WatchPage) {
        let Serves::Actuator { site, .. } = &self.serves else { return };
        let calm = self.world.history().healed_ms.is_some();
        let mut again = None;
        if !caller.old.is_empty() && !calm && caller.client.rng.random_bool(0.02) {
            let at = caller.client.rng.random_range(0..caller.old.len());
            again = Some(caller.old[at].clone());
            self.world.history().happened(Happening::OldPermitUsed);
        }
        for change in &mut page.changes {
            if change.permit.is_some() {
                caller.old.push(change.clone());
            }
            if let Some(permit) = &mut change.permit
                && !calm
                && caller.client.rng.random_bool(0.15)
            {
                let services = site.cluster().service_ids();
                forge(permit, services[caller.client.rng.random_range(0..services.len())].clone());
                self.world.history().happened(Happening::PermitForged);
            }
        }
        page.changes.extend(again);
    }
}

/// The permit is for another service now; whoever forges it has no key.
fn forge(permit: &mut Permit, service: picket_core::ids::ServiceId) {
    match &mut permit.body.work {
        Work::Do { action } | Work::Undo { action, .. } => action.service = service,
    }
}

impl Coordinator for SimCoordinator {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        self.check_claim(&command).await;
        let mut caller = self.client.lock().await;
        if matches!(command, Command::PostFacts { .. }) && self.world.history().healed_ms.is_none() && caller.client.rng.random_bool(0.2) {
            self.world.history().happened(Happening::FactsLate);
            caller.client.pause(3_000, 9_500).await;
        }
        let answer = caller.client.submit_as(request_id, command).await.map_err(|why| failed("submit", why))?;
        self.edit_what_is_claimed(&mut caller, &answer);
        if let Answer::Epoch { epoch } = &answer {
            caller.observer_epoch = *epoch;
        }
        Ok(answer)
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        self.client.lock().await.client.status().await.map_err(|why| failed("status", why))
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        self.client.lock().await.client.entries(settled_max).await.map_err(|why| failed("entries", why))
    }

    async fn watch(&self, revision: u64, wait_ms: u64) -> PortResult<WatchPage> {
        let mut caller = self.client.lock().await;
        let mut page = caller.client.watch(revision, wait_ms).await.map_err(|why| failed("watch", why))?;
        if matches!(self.serves, Serves::Observer) && planted::is(Fault::MonitorSkipped) {
            for change in page.changes.iter().filter(|change| change.entry.state == EntryState::Observing) {
                let outcome = Outcome::Recovered { why: "it must have helped".into() };
                let command = Command::Grade { entry: change.entry.id.clone(), observer_epoch: caller.observer_epoch, outcome };
                let id = format!("skip-{}-{}", change.entry.id, caller.observer_epoch);
                let _ = caller.client.submit_as(id.into(), command).await;
            }
        }
        self.meddle(&mut caller, &mut page);
        Ok(page)
    }
}
