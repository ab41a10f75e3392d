//! From a press to a decision, and what the people in the channel see of it.

use super::answered::{Answered, Known};
use super::button::{ButtonKey, Verb};
use super::client::SlackClient;
use super::interaction::{Expected, Press, SealedPress};
use super::message::{self, Scene};
use crate::Clock;
use crate::approver::Approver;
use crate::bridge::board::Board;
use crate::bridge::decide::Say;
use crate::dashboard_link::Dashboard;
use crate::people::{ApproverName, Directory};
use crate::retry::Backoff;
use crate::secret::Secret;
use crate::summary;
use picket_core::coordination::{Answer, Decision};
use picket_core::ledger::EntryState;
use picket_core::ports::{PortError, PortResult};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the presses need. Everything in it is read-only but for what was answered.
pub struct Desk<A> {
    /// The app's signing secret.
    pub signing: Secret,
    /// Seals and opens buttons.
    pub key: ButtonKey,
    /// Who is who.
    pub directory: Directory,
    /// Speaks to the coordinator in a person's name.
    pub approver: A,
    /// Answers presses.
    pub client: Arc<SlackClient>,
    /// The ledger as last heard.
    pub board: Arc<Board>,
    /// Whose presses are taken.
    pub expected: Expected,
    /// Links.
    pub dashboard: Dashboard,
    /// Run clock: what questions run out by.
    pub clock: Clock,
    /// Wall clock: what Slack's timestamps are in.
    pub wall: Clock,
    /// Longest wait for one answer of the coordinator.
    pub approve_deadline: Duration,
    /// Tries of the coordinator, all under one request id.
    pub backoff: Backoff,
    /// What was answered.
    pub answered: Mutex<Answered>,
    /// Places for presses that are being carried out.
    pub presses: Presses,
}

/// A bounded number of presses that are being carried out.
#[derive(Clone, Debug)]
pub struct Presses {
    places: Arc<Semaphore>,
    max: u32,
}

impl Presses {
    /// At most `max` at a time, at least one.
    #[must_use]
    pub fn new(max: u32) -> Self {
        let max = max.max(1);
        Self { places: Arc::new(Semaphore::new(max as usize)), max }
    }

    /// A place, held until it is dropped; `None` when all are taken.
    #[must_use]
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits until all are carried out, at most `deadline`; true when they are.
    pub async fn ended(&self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.places.acquire_many(self.max)).await.is_ok_and(|all| all.is_ok())
    }
}

/// Longest wait for one answer of the coordinator, unless told otherwise.
pub const APPROVE_DEADLINE: Duration = Duration::from_secs(10);
/// Tries of the coordinator, unless told otherwise.
pub const APPROVE_BACKOFF: Backoff = Backoff { base_ms: 500, cap_ms: 5000, attempts: 4 };

/// What came of a press.
#[derive(Clone, Debug, PartialEq)]
enum Came {
    /// The coordinator took it.
    Done,
    /// Only the one who pressed needs to know.
    Whisper(&'static str, String),
    /// Nothing is left to say.
    Silent,
}

impl<A: Approver> Desk<A> {
    /// Carries a press out and answers it by its `response_url`. Every press ends in an answer there or, when Slack takes none, in the log.
    pub async fn take(&self, sealed: SealedPress) {
        let (user, verb, to) = (sealed.user.clone(), sealed.verb(), sealed.response_url.clone());
        let approver = self.directory.approver(&user);
        let (result, body) = match (approver, sealed.open(&self.key, (self.clock)())) {
            (Err(no), _) => {
                tracing::warn!(%user, verb = verb.as_str(), why = %no, "a press in Slack was refused");
                ("not_an_approver", Some(message::whisper(&format!("Nothing was done: {no}."))))
            }
            (Ok(person), Err(no)) => {
                tracing::warn!(%user, person = %person.person(), verb = verb.as_str(), why = %no, "a press in Slack was refused");
                (
                    "bad_button",
                    Some(message::whisper(&format!("Nothing was done: {no}. Look at the dashboard for where the entry stands."))),
                )
            }
            (Ok(person), Ok(press)) => match self.decide(&person, &press).await {
                Came::Done => ("done", Some(self.decision(&person, &press))),
                Came::Whisper(result, text) => (result, Some(message::whisper(&text))),
                Came::Silent => ("repeat", None),
            },
        };
        metrics::counter!("picket_chatops_presses_total", "verb" => verb.as_str(), "result" => result).increment(1);
        if let Some(body) = body
            && let Err(error) = self.client.respond(&to, &body).await
        {
            tracing::error!(%error, result, "a press in Slack was carried out or refused, and Slack did not take the answer");
        }
    }

    async fn decide(&self, person: &ApproverName, press: &Press) -> Came {
        let known = self.answered().note(press);
        match known {
            Known::Repeat => return Came::Silent,
            Known::Decided(by, verb) => return Came::Whisper("late", already(verb, by.as_str())),
            Known::New => {}
        }
        let said = self.ask(person, press).await;
        let (result, came) = match said {
            Ok(Answer::Refused { violations }) => {
                let why: Vec<_> = violations.into_iter().map(|v| v.reason).collect();
                ("refused", Came::Whisper("refused", self.refusal(press, &why.join("; "))))
            }
            // Where two people must say yes: the question stays, for the second.
            Ok(Answer::Decided { decision: Decision::AwaitingApproval, .. }) => {
                self.answered().forget(press);
                ("first_of_two", Came::Whisper("first_of_two", "Your yes is on record. A second person must say yes too.".to_owned()))
            }
            Ok(_) => {
                self.answered().decided(press, person.person());
                ("done", Came::Done)
            }
            Err(error) => {
                self.answered().forget(press);
                let advice = match &error {
                    PortError::Refused { .. } | PortError::Damaged { .. } => "Pressing again will not help",
                    PortError::Timeout { .. } => "Whether it was done is not known: look at the dashboard, or press again",
                    _ => "Press again",
                };
                ("failed", Came::Whisper("failed", format!("Nothing is known to be done: {error}. {advice}.")))
            }
        };
        tracing::info!(person = %person.person(), entry = %press.entry, verb = press.verb.as_str(), result, "a button was pressed in Slack");
        came
    }

    /// Asks until the coordinator answers; the request id makes it once.
    async fn ask(&self, person: &ApproverName, press: &Press) -> PortResult<Answer> {
        let mut tried = 0;
        loop {
            let call = async {
                let (id, entry) = (press.request_id.clone(), press.entry.clone());
                match press.verb {
                    Verb::Approve => self.approver.approve(person, id, entry, press.digest.clone(), press.stop_epoch).await,
                    Verb::Deny => self.approver.deny(person, id, entry, "denied in Slack, no reason given".to_owned()).await,
                }
            };
            let answer = tokio::time::timeout(self.approve_deadline, call).await;
            let error = match answer.unwrap_or_else(|_| Err(PortError::Timeout { what: "the coordinator".to_owned() })) {
                Err(error @ (PortError::Unavailable { .. } | PortError::Timeout { .. } | PortError::Full { .. })) => error,
                other => return other,
            };
            tried += 1;
            let asked_ms = if let PortError::Full { retry_after_ms, .. } = &error { Some(*retry_after_ms) } else { None };
            match self.backoff.wait_ms(tried, asked_ms, rand::random()) {
                Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                None => return Err(error),
            }
        }
    }

    /// The message after the decision, without buttons.
    fn decision(&self, person: &ApproverName, press: &Press) -> Value {
        let now = (self.clock)();
        let Some(mut entry) = self.board.get(&press.entry) else {
            return message::decided_by(press.verb, person.person(), &press.entry, &self.dashboard).to_replace();
        };
        if entry.state == EntryState::AwaitingApproval {
            // The ledger's own word comes by the bridge; until then this is what the coordinator has just taken.
            let by = format!("human:{}", person.person());
            match press.verb {
                Verb::Approve => (entry.state, entry.approved_by) = (EntryState::Approved, Some(by)),
                Verb::Deny => {
                    entry.state = EntryState::Denied;
                    entry.violations = vec![summary::denial(&by)];
                }
            }
            entry.history.push((now, entry.state));
        }
        let scene = Scene { key: None, dashboard: &self.dashboard, stop_epoch: press.stop_epoch, now };
        message::message(Say::Answered, &entry, scene).to_replace()
    }

    /// Why the coordinator said no, in the words that help most.
    fn refusal(&self, press: &Press, why: &str) -> String {
        if let Some((by, verb)) = self.answered().by(press) {
            return already(verb, by.as_str());
        }
        if let Some(entry) = self.board.get(&press.entry)
            && entry.state != EntryState::AwaitingApproval
        {
            if summary::denied_by_a_person(&entry) {
                let by = entry.violations.iter().map(|v| v.reason.as_str()).collect::<Vec<_>>().join("; ");
                return format!("Already decided: denied by {by}.");
            }
            if let Some(by) = &entry.approved_by {
                return already(Verb::Approve, by);
            }
        }
        format!("The coordinator refused: {why}.")
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, Answered> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn already(verb: Verb, by: &str) -> String {
    let did = match verb {
        Verb::Approve => "approved",
        Verb::Deny => "denied",
    };
    format!("Already decided by {by}: {did}.")
}
