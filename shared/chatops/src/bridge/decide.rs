//! What to tell whom: a pure function of what was told before and of where the entry stands.

use super::seen::{Alarm, Seen, Stage, Told};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where something is said.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// PagerDuty.
    PagerDuty,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Teams, Self::PagerDuty];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
        }
    }
}

/// What is said.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Say {
    /// May it? With buttons where there are any.
    Ask,
    /// The question that was shown is asked anew; its buttons go.
    AskedAgain,
    /// Somebody decided, or somebody is at it: buttons go.
    Answered,
    /// A person must look.
    Page,
    /// It is over.
    Over,
    /// The ledger does not have it any more.
    Gone,
    /// Open the alert, or add to it.
    Raise,
    /// Close the alert.
    Resolve,
}

impl Say {
    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::AskedAgain => "asked_again",
            Self::Answered => "answered",
            Self::Page => "page",
            Self::Over => "over",
            Self::Gone => "gone",
            Self::Raise => "raise",
            Self::Resolve => "resolve",
        }
    }
}

/// Something to be said of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where.
    pub channel: Channel,
    /// What.
    pub say: Say,
    /// Of which entry.
    pub entry: EntryId,
    /// How many states the entry has been in: the same state again is another thing to say.
    pub step: usize,
}

/// Where an entry stands, as far as people are concerned.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Waits for a person's yes.
    Asking,
    /// Waits for a person to look.
    Paging,
    /// Goes its way.
    Going,
    /// Nothing will come any more.
    Over,
}

fn standing(entry: &LedgerEntry) -> Standing {
    match entry.state {
        EntryState::AwaitingApproval => Standing::Asking,
        state if state.is_terminal() => Standing::Over,
        EntryState::Indeterminate | EntryState::UndoFailed => Standing::Paging,
        _ if entry.paging => Standing::Paging,
        _ => Standing::Going,
    }
}

/// A person is asked something: what must never be dropped without a word.
#[must_use]
pub fn is_question(entry: &LedgerEntry) -> bool {
    matches!(standing(entry), Standing::Asking | Standing::Paging)
}

/// What must be said of an entry on all channels, in order, given what was said before. Empty when everybody knows. `now` is the run clock:
/// a question whose time is over is not put any more.
#[must_use]
pub fn decide(previous: &Seen, entry: &LedgerEntry, now: Timestamp) -> Vec<Outgoing> {
    let seen = previous.of(&entry.id);
    let out = |channel: Channel| move |say: Say| Outgoing { channel, say, entry: entry.id.clone(), step: entry.history.len() };
    let mut all = Vec::new();
    for channel in [Channel::Slack, Channel::Teams] {
        all.extend(chat(seen.and_then(|s| s.told(channel)), entry, now).into_iter().map(out(channel)));
    }
    all.extend(alert(seen.and_then(|s| s.alarm), entry).map(out(Channel::PagerDuty)));
    all
}

/// What must be said of an entry that the ledger does not have any more, so that nothing stays open for ever.
#[must_use]
pub fn decide_gone(previous: &Seen, id: &EntryId) -> Vec<Outgoing> {
    let Some(seen) = previous.of(id) else { return Vec::new() };
    let chats = [Channel::Slack, Channel::Teams].into_iter().filter(|c| seen.told(*c).is_some()).map(|c| (c, Say::Gone));
    let alert = seen.alarm.map(|_| (Channel::PagerDuty, Say::Resolve));
    chats.chain(alert).map(|(channel, say)| Outgoing { channel, say, entry: id.clone(), step: usize::MAX }).collect()
}

fn chat(told: Option<&Told>, entry: &LedgerEntry, now: Timestamp) -> Vec<Say> {
    let step = entry.history.len();
    let before = told.map(|t| (t.stage, t.step));
    match (before, standing(entry)) {
        (Some((Stage::Asked, of)), Standing::Asking) if of == step => vec![],
        (_, Standing::Asking) if entry.deadline.is_some_and(|deadline| deadline <= now) => vec![],
        (Some((Stage::Asked, _)), Standing::Asking) => vec![Say::AskedAgain, Say::Ask],
        (_, Standing::Asking) => vec![Say::Ask],
        (Some((Stage::Paged, of)), Standing::Paging) if of == step => vec![],
        (Some((Stage::Asked, _)), Standing::Paging) => vec![Say::Answered, Say::Page],
        (_, Standing::Paging) => vec![Say::Page],
        (Some((Stage::Asked | Stage::Paged, _)), Standing::Going) => vec![Say::Answered],
        (Some(_), Standing::Over) => vec![Say::Over],
        (None | Some((Stage::Answered, _)), Standing::Going) | (None, Standing::Over) => vec![],
    }
}

/// An alert is open while an act of severity 1 or 2 is, and while anything pages. An undo is part of its parent's alert, unless it pages itself.
fn alert(open: Option<Alarm>, entry: &LedgerEntry) -> Option<Say> {
    let looks = standing(entry) == Standing::Paging;
    let is_grave = entry.severity.number() <= 2 && entry.parent.is_none() && standing(entry) != Standing::Over;
    match open {
        None => (looks || is_grave).then_some(Say::Raise),
        // The alert may have been acknowledged for the question; that it went wrong is news.
        Some(alarm) if looks => (!alarm.looks || alarm.step != entry.history.len()).then_some(Say::Raise),
        Some(_) => (!is_grave).then_some(Say::Resolve),
    }
}
