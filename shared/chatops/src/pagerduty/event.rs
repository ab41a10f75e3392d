//! An event of the Events API v2: pure.

use crate::bridge::decide::Say;
use crate::dashboard_link::Dashboard;
use crate::secret::Secret;
use crate::summary::{Summary, act};
use crate::text::clean;
use crate::words;
use picket_core::action::Digest;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use serde_json::{Map, Value, json};

/// Longest `summary`.
const SUMMARY_MAX: usize = 1024;
/// Longest `dedup_key`.
const KEY_MAX: usize = 255;

/// PagerDuty's word for a severity.
#[must_use]
pub const fn severity(of: Severity) -> &'static str {
    match of {
        Severity::One => "critical",
        Severity::Two => "error",
        Severity::Three => "warning",
        Severity::Four => "info",
    }
}

/// What ties an alert's events together: the entry, or its digest when the id is longer than PagerDuty takes.
#[must_use]
pub fn dedup_key(id: &EntryId) -> String {
    let key = format!("picket-{id}");
    if key.len() <= KEY_MAX { key } else { format!("picket-{}", Digest::of(id.as_str().as_bytes())) }
}

/// Opens an alert, or adds to one that is open.
#[must_use]
pub fn trigger(routing_key: &Secret, entry: &LedgerEntry, dashboard: &Dashboard, now: Timestamp) -> Value {
    let summary = Summary::of(Say::Raise, entry, now);
    let service = &entry.work.action().service;
    let mut details: Map<String, Value> = summary.facts.iter().map(|(label, value)| ((*label).to_owned(), value.clone().into())).collect();
    details.insert("Why".to_owned(), summary.body.into());
    details.insert("Entry".to_owned(), summary.foot.into());
    details.insert("Act".to_owned(), act(entry).into());
    let mut event = json!({
        "routing_key": routing_key.expose(),
        "event_action": "trigger",
        "dedup_key": dedup_key(&entry.id),
        "client": "picket",
        "payload": {
            "summary": clean(&summary.title, SUMMARY_MAX),
            "source": clean(service.cluster.as_str(), 120),
            "severity": severity(entry.severity),
            "timestamp": words::rfc3339(now),
            "component": clean(&service.name, 120),
            "group": clean(&service.namespace, 120),
            "class": entry.proposal.cause.as_str(),
            "custom_details": details,
        },
    });
    if let Some(url) = dashboard.entry(&entry.id) {
        event["links"] = json!([{ "href": url, "text": "The entry on picket's dashboard" }]);
        event["client_url"] = url.into();
    }
    event
}

/// Closes the alert. One that is not open is no error.
#[must_use]
pub fn resolve(routing_key: &Secret, id: &EntryId) -> Value {
    json!({ "routing_key": routing_key.expose(), "event_action": "resolve", "dedup_key": dedup_key(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_pagerdutys() {
        let all = [Severity::One, Severity::Two, Severity::Three, Severity::Four].map(severity);
        assert_eq!(all, ["critical", "error", "warning", "info"]);
    }

    #[test]
    fn a_key_is_one_entrys_and_short_enough() {
        let (long, other) = ("a".repeat(300), "a".repeat(301));
        assert_eq!(dedup_key(&"act-7".into()), "picket-act-7");
        assert!(dedup_key(&long.as_str().into()).len() <= KEY_MAX);
        assert_ne!(dedup_key(&long.into()), dedup_key(&other.into()));
    }
}
