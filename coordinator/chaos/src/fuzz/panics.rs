//! A panic in a task ends the task and not the process: it must be heard all the same.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

/// Hears every panic of this process from its making on.
#[derive(Clone, Debug, Default)]
pub struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    /// Listens, in place of whoever listened before.
    #[must_use]
    pub fn listen() -> Self {
        let heard = Self::default();
        let book = heard.clone();
        panic::set_hook(Box::new(move |info| {
            book.0.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        heard
    }

    /// What was heard so far.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
