//! Reads the services that run on a cloud's own services, for the observer. With read-only credentials it can do nothing else.

use crate::error::CloudError;
use crate::executor::CloudExecutor;
use crate::settings::CloudSettings;
use crate::snapshot::Snapshot;
use futures::StreamExt as _;
use picket_core::facts::{PODS_MAX, ServiceFacts};
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::outcome::Receipt;
use picket_core::ports::{ClusterReader, PortError, PortResult, Readings};
use std::collections::BTreeMap;

/// Importance of a service that nothing is said of.
const TIER_UNKNOWN: u8 = 2;

/// Reads one cluster's services on AWS and Azure.
#[derive(Clone, Debug)]
pub struct CloudReader {
    /// It is asked to read and nothing else.
    executor: CloudExecutor,
}

impl CloudReader {
    /// For the services of `cluster` that the settings name.
    ///
    /// # Errors
    /// As [`CloudExecutor::new`].
    pub fn new(cluster: &ClusterName, settings: &CloudSettings) -> Result<Self, CloudError> {
        Ok(Self { executor: CloudExecutor::new(cluster, settings)? })
    }
}

impl ClusterReader for CloudReader {
    /// One request or two for each service. A target that does not exist (any more) is left out; any other failure is the answer, for half a
    /// reading would make a fleet look smaller than it is.
    async fn read(&self, reserved: &BTreeMap<EntryId, u32>) -> PortResult<Vec<(ServiceId, ServiceFacts, Readings)>> {
        let reads = futures::stream::iter(self.executor.places()).map(|(service, place)| async move { (service, place.snapshot().await) });
        let mut ends: Vec<(ServiceId, PortResult<Option<Snapshot>>)> = reads.buffer_unordered(self.executor.parallel()).collect().await;
        ends.sort_by(|a, b| a.0.cmp(&b.0));
        let mut services = Vec::with_capacity(ends.len());
        for (service, end) in ends {
            match end {
                Ok(Some(snapshot)) => {
                    let readings = Readings { replicas_desired: Some(snapshot.size), ..Readings::default() };
                    services.push((service, facts(&snapshot, reserved), readings));
                }
                Ok(None) | Err(PortError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(services)
    }

    async fn shows(&self, _receipt: &Receipt) -> PortResult<bool> {
        Ok(true)
    }
}

/// Instances stand for pods. What a cloud does not count (Azure's scale sets) is taken for running unless something is under way.
fn facts(snapshot: &Snapshot, reserved: &BTreeMap<EntryId, u32>) -> ServiceFacts {
    let desired = snapshot.size.min(PODS_MAX);
    let running = snapshot.running.unwrap_or(if snapshot.busy.is_some() { 0 } else { desired }).min(PODS_MAX);
    let own = snapshot.action_id.as_deref().and_then(|entry| reserved.get(&EntryId::from(entry)));
    ServiceFacts {
        ready: running,
        total: running,
        desired,
        disrupted_by_others: desired.saturating_sub(running).saturating_sub(own.copied().unwrap_or(0)),
        tier: TIER_UNKNOWN,
        foreign_rollout: snapshot.busy.is_some() && own.is_none(),
        protected: snapshot.hands_off.is_some(),
        ..ServiceFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_others_doing_but_for_what_is_reserved() {
        let snapshot = Snapshot {
            size: 10,
            running: Some(7),
            busy: Some("a deployment".into()),
            action_id: Some("act-1".into()),
            ..Snapshot::default()
        };
        for (reserved, others, foreign) in [(&[][..], 3, true), (&[("act-1", 2)], 1, false), (&[("act-2", 2)], 3, true)] {
            let reserved = reserved.iter().map(|(entry, pods)| (EntryId::from(*entry), *pods)).collect();
            let facts = facts(&snapshot, &reserved);
            assert_eq!((facts.ready, facts.desired, facts.disrupted_by_others, facts.foreign_rollout), (7, 10, others, foreign));
        }
        let idle = Snapshot { size: 4, ..Snapshot::default() };
        assert_eq!(facts(&idle, &BTreeMap::new()).ready, 4, "a cloud that does not count");
    }
}
