//! Changes that somebody made, as telemetry shows them.

use picket_core::ids::ServiceId;
use picket_core::incident::{ChangeEvent, ChangeKind};
use picket_core::signal::LogRecord;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Bound on the changes remembered.
const CHANGES_MAX: usize = 1_000;

/// Recent changes of all services.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeLog {
    changes: VecDeque<ChangeEvent>,
    revisions: BTreeMap<ServiceId, (i64, i64)>,
}

impl ChangeLog {
    pub fn push(&mut self, service: &ServiceId, kind: ChangeKind, at: Timestamp, what: String) {
        // The same word twice within a minute is the same change (events are repeated, pods come one by one).
        let again = self.changes.iter().rev().any(|c| &c.service == service && c.what == what && at.since_ms(c.at).abs() < 60_000);
        if again {
            return;
        }
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(ChangeEvent { service: service.clone(), kind, at, what });
    }

    /// Reads a Kubernetes event of a rollout or scaling that was `at`, by our clock.
    pub fn observe_event(&mut self, log: &LogRecord, reason: &str, at: Timestamp) {
        let service = &log.resource.service;
        let revision = attribute(log, "k8s.deployment.revision").and_then(|r| r.parse::<i64>().ok());
        match (reason, revision) {
            ("ScalingReplicaSet", Some(revision)) => {
                let known = self.revisions.get(service).copied();
                if known.is_none_or(|(now, _)| now != revision) {
                    let before = known.map_or(revision - 1, |(now, _)| now);
                    self.revisions.insert(service.clone(), (revision, before));
                    let version = log.resource.version.as_deref().map_or_else(String::new, |v| format!(" ({v})"));
                    self.push(service, ChangeKind::Deployment, at, format!("revision {revision}{version} rolled out"));
                }
            }
            ("ScalingReplicaSet" | "SuccessfulRescale", None) => {
                let body: String = log.body.chars().take(200).collect();
                self.push(service, ChangeKind::Scaling, at, if body.is_empty() { "replicas were scaled".to_owned() } else { body });
            }
            _ => {}
        }
    }

    pub fn since(&self, since: Timestamp) -> Vec<ChangeEvent> {
        let mut found: Vec<_> = self.changes.iter().filter(|c| c.at >= since).cloned().collect();
        found.sort_by_key(|c| c.at);
        found
    }

    /// Revision in force and the one before, as far as events told.
    pub fn revision(&self, service: &ServiceId) -> Option<(i64, i64)> {
        self.revisions.get(service).copied().filter(|(_, before)| *before >= 1)
    }
}

/// An attribute of a record, or else of its resource.
pub(crate) fn attribute<'a>(log: &'a LogRecord, key: &str) -> Option<&'a str> {
    log.attributes.get(key).or_else(|| log.resource.attributes.get(key)).map(String::as_str)
}
