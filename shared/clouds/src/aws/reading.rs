//! What was read of a resource on AWS: [`picket_core::ports::Before::content`].

use crate::snapshot::Snapshot;
use picket_core::scope::FencingToken;
use serde::{Deserialize, Serialize};

/// A reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub snapshot: Snapshot,
    /// The highest fence on it.
    pub fence: Option<FencingToken>,
    /// Which fence a read has shown, and when by AWS's clock. No part of the version.
    #[serde(skip)]
    pub seen: Option<(FencingToken, i64)>,
}

impl Reading {
    /// AWS keeps no version: this is one of all that an act depends on.
    pub(super) fn version(&self) -> String {
        self.snapshot.fingerprint(self.fence)
    }
}
