//! Keys for AWS: where they come from, and fresh ones before they expire.

use super::sources::Sources;
use crate::clock::Clock;
use crate::secret::Secret;
use picket_core::ports::{PortError, PortResult};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Keys are renewed so long before they expire.
const EARLY_S: i64 = 300;

/// One set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub id: String,
    pub secret: Secret,
    pub token: Option<Secret>,
    /// Seconds since the Unix epoch; `None` for keys that do not expire by themselves.
    pub expires_s: Option<i64>,
}

/// Hands out keys that are good for a while.
pub(super) struct Credentials {
    sources: Sources,
    held: Mutex<Option<Keys>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    pub(super) fn new(sources: Sources, clock: Arc<dyn Clock>) -> Self {
        Self { sources, held: Mutex::new(None), clock }
    }

    /// The keys; one caller fetches new ones while the others wait.
    pub(super) async fn get(&self) -> PortResult<Keys> {
        let mut held = self.held.lock().await;
        let now = self.clock.now_s();
        if let Some(keys) = held.as_ref().filter(|keys| keys.expires_s.is_none_or(|expires| expires - EARLY_S > now)) {
            return Ok(keys.clone());
        }
        match self.sources.fetch().await {
            Ok(keys) => Ok(held.insert(keys).clone()),
            // The old ones are good until they expire.
            Err(why) => match held.as_ref().filter(|keys| keys.expires_s.is_none_or(|expires| expires > now)) {
                Some(keys) => Ok(keys.clone()),
                None => Err(PortError::Unavailable { what: "AWS credentials".to_owned(), why }),
            },
        }
    }

    /// These were refused: the next call fetches others.
    pub(super) async fn discard(&self, refused: &Keys) {
        let mut held = self.held.lock().await;
        if held.as_ref() == Some(refused) {
            *held = None;
        }
    }
}
