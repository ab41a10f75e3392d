//! The coordinator's whole state, for a person to keep.

use crate::CoordinatorClient;
use crate::client::Call;
use picket_core::ports::PortResult;

/// Largest backup that is taken.
const BACKUP_MAX_BYTES: usize = 1 << 30;
/// Beside a call's own deadline: the state is copied, packed and sent.
const BACKUP_MS: u64 = 60_000;

impl CoordinatorClient {
    /// A backup of the state at one committed revision, in the form of its file; people only. It is not checked here.
    ///
    /// # Errors
    /// `Refused` for anyone but people, `Unavailable` or `Timeout` when no node gives one.
    pub async fn backup(&self) -> PortResult<Vec<u8>> {
        self.call_for_bytes(&Call::Read { path: "/v1/backup", query: &[], server_waits_ms: BACKUP_MS }, BACKUP_MAX_BYTES).await
    }
}
