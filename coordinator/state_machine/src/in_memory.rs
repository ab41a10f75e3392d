//! The `Coordinator` port in one process: the same state machine, without Raft, disk or network.

use crate::permitted::{sign_answer, watch_page};
use crate::settings::Settings;
use crate::state::{State, apply};
use ed25519_dalek::{SigningKey, VerifyingKey};
use picket_core::coordination::{Answer, Attributed, Command, CoordinatorStatus, LedgerEntry, Request, WatchPage};
use picket_core::ids::{Principal, RequestId};
use picket_core::ports::{Coordinator, PortError, PortResult};
use picket_core::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard};

/// Reads the run's clock.
pub type RunClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Changes per watch page.
const PAGE_MAX: usize = 256;

struct Shared {
    state: Mutex<State>,
    key: SigningKey,
    clock: RunClock,
}

/// A coordinator of one node that forgets when dropped. For tests and `eval scenarios`.
#[derive(Clone)]
pub struct InMemoryCoordinator {
    shared: Arc<Shared>,
}

impl InMemoryCoordinator {
    /// An empty ledger. Its clock starts at once, so that the first echo of a fact is a real time.
    #[must_use]
    pub fn new(settings: Settings, signing_key: SigningKey, clock: RunClock) -> Self {
        let made = Self { shared: Arc::new(Shared { state: Mutex::new(State::new(settings)), key: signing_key, clock }) };
        made.tick();
        made
    }

    /// The coordinator as one principal sees it.
    #[must_use]
    pub fn handle(&self, principal: Principal) -> InMemoryHandle {
        InMemoryHandle { shared: Arc::clone(&self.shared), principal }
    }

    /// Lets everything run out whose time has come.
    pub fn tick(&self) {
        let _ = self.shared.say(&Principal::Node(0), RequestId::from("tick"), Command::Tick);
    }

    /// A copy of the whole state.
    ///
    /// # Panics
    /// When another thread panicked inside `apply`.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.lock().expect("apply does not panic").clone()
    }

    /// What permits and confirmations verify with.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.shared.key.verifying_key()
    }
}

impl Shared {
    fn lock(&self) -> PortResult<MutexGuard<'_, State>> {
        self.state
            .lock()
            .map_err(|_| PortError::Damaged { what: "the in-memory coordinator".to_owned(), why: "a command panicked".to_owned() })
    }

    fn say(&self, principal: &Principal, request_id: RequestId, command: Command) -> PortResult<Answer> {
        let at = (self.clock)();
        let mut state = self.lock()?;
        let said = Attributed::new(principal.clone(), Request { request_id, command });
        let response = apply(&mut state, &said, at);
        Ok(sign_answer(&state, &response.answer, &self.key))
    }
}

/// The port, for one principal.
#[derive(Clone)]
pub struct InMemoryHandle {
    shared: Arc<Shared>,
    principal: Principal,
}

impl Coordinator for InMemoryHandle {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        self.shared.say(&self.principal, request_id, command)
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        let mut status = self.shared.lock()?.status();
        status.leader = Some(0);
        Ok(status)
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        Ok(self.shared.lock()?.entries(settled_max))
    }

    /// Returns at once: on virtual time nobody may wait for real time to pass.
    async fn watch(&self, revision: u64, _wait_ms: u64) -> PortResult<WatchPage> {
        let state = self.shared.lock()?;
        Ok(watch_page(&state, revision, PAGE_MAX, &self.shared.key))
    }
}
