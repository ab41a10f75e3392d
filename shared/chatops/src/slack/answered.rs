//! Which questions were answered through this process: a second press is told so at once. The coordinator decides; this only explains.

use super::button::Verb;
use super::interaction::Press;
use crate::people::PersonName;
use picket_core::ids::{EntryId, RequestId};
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Questions remembered; the oldest go first.
const QUESTIONS_MAX: usize = 1024;

/// One question: an entry that is asked about twice has two ends.
type Key = (EntryId, Timestamp);

/// What is known of a press before the coordinator is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Go and ask.
    New,
    /// The same press came again: its first delivery is being answered, or was.
    Repeat,
    /// Somebody decided.
    Decided(PersonName, Verb),
}

/// Presses by question.
#[derive(Debug, Default)]
pub struct Answered {
    questions: BTreeMap<Key, Question>,
    order: VecDeque<Key>,
}

#[derive(Debug, Default)]
struct Question {
    asked: Vec<RequestId>,
    decided: Option<(PersonName, Verb)>,
}

/// Presses remembered of one question.
const PRESSES_MAX: usize = 64;

impl Answered {
    /// Notes a press.
    pub fn note(&mut self, press: &Press) -> Known {
        let key = key(press);
        if !self.questions.contains_key(&key) {
            if self.order.len() >= QUESTIONS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.questions.remove(&oldest);
            }
            self.order.push_back(key.clone());
        }
        let question = self.questions.entry(key).or_default();
        if question.asked.contains(&press.request_id) {
            return Known::Repeat;
        }
        if let Some((by, verb)) = &question.decided {
            return Known::Decided(by.clone(), *verb);
        }
        if question.asked.len() < PRESSES_MAX {
            question.asked.push(press.request_id.clone());
        }
        Known::New
    }

    /// The coordinator took it.
    pub fn decided(&mut self, press: &Press, by: &PersonName) {
        if let Some(question) = self.questions.get_mut(&key(press)) {
            question.decided = Some((by.clone(), press.verb));
        }
    }

    /// It came to nothing: the same delivery may be tried again.
    pub fn forget(&mut self, press: &Press) {
        if let Some(question) = self.questions.get_mut(&key(press)) {
            question.asked.retain(|id| *id != press.request_id);
        }
    }

    /// Who decided.
    #[must_use]
    pub fn by(&self, press: &Press) -> Option<(PersonName, Verb)> {
        self.questions.get(&key(press))?.decided.clone()
    }
}

fn key(press: &Press) -> Key {
    (press.entry.clone(), press.expires)
}
