//! Real messages: one of each command, by someone who may send it.

use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, Principal, ServiceId};
use serde_json::{Value, json};

/// A request and who says it.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub by: Principal,
    /// The request's JSON.
    pub request: Value,
}

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn proposal() -> Value {
    json!({
        "id": "p1", "agent": "sre", "incident": "inc-1", "cause": "memory_limit_too_low", "severity": 3, "confidence": 0.95,
        "services_degraded": 1, "symptoms": ["oom_killed"],
        "action": {
            "service": "east/shop/s1",
            "remediation": {"kind": "set_memory_limit", "container": "s1", "limit_bytes": 1_073_741_824_u64},
        },
        "evidence_echo": 1_000, "replay": false, "sentence": "more memory",
    })
}

fn facts() -> Value {
    let known = ServiceFacts {
        ready: 4,
        total: 4,
        desired: 4,
        tier: 2,
        dependants: vec![ServiceId::new("east", "shop", "s2")],
        namespaces_touched: vec!["shop".into()],
        error_budget_burn: 0.5,
        ..ServiceFacts::default()
    };
    let services =
        [("shop", "s1"), ("shop", "s2"), ("pay", "s3")].map(|(namespace, name)| (ServiceId::new("east", namespace, name), known.clone()));
    let facts = ClusterFacts { cluster: "east".into(), observer_epoch: 1, seq: 1, services: services.into(), ..ClusterFacts::default() };
    serde_json::to_value(facts).unwrap_or_default()
}

fn receipt() -> Value {
    json!({
        "object": {"kind": "Deployment", "namespace": "shop", "name": "s1"},
        "before": {"/spec/x": 1}, "after": {"/spec/x": 2},
        "resource_version_before": "7", "resource_version_after": "8", "applied_at": 1_000,
    })
}

fn claim() -> Value {
    json!({"entry": "act-1", "digest": DIGEST, "actuator_epoch": 2, "before_digest": DIGEST, "audit_hash": DIGEST})
}

/// One of each command.
#[must_use]
pub fn requests() -> Vec<Said> {
    let human = Principal::Human("writer-0".into());
    let agent = Principal::Agent(AgentKind::Sre);
    let (observer, actuator) = (Principal::Observer("east".into()), Principal::Actuator("east".into()));
    let limits = serde_json::to_value(picket_core::limits::LimitRules::default()).unwrap_or_default();
    let commands = [
        (&agent, json!({"command": "propose", "proposal": proposal()})),
        (&agent, json!({"command": "refresh", "entry": "act-1", "digest": DIGEST, "evidence_echo": 1_000})),
        (&human, json!({"command": "approve", "entry": "act-1", "digest": DIGEST, "stop_epoch": 0})),
        (&human, json!({"command": "deny", "entry": "act-1", "why": "no"})),
        (&observer, json!({"command": "register"})),
        (&observer, json!({"command": "post_facts", "facts": facts()})),
        (&actuator, json!({"command": "claim", "claim": claim()})),
        (
            &actuator,
            json!({"command": "report", "entry": "act-1", "actuator_epoch": 2, "report": {"report": "applied", "receipt": receipt()}}),
        ),
        (&actuator, json!({"command": "fence_raised", "actuator_epoch": 2, "stop_epoch": 1})),
        (&observer, json!({"command": "grade", "entry": "act-1", "observer_epoch": 1, "outcome": {"outcome": "recovered", "why": "yes"}})),
        (&human, json!({"command": "undo", "entry": "act-1", "stop_epoch": 0})),
        (&human, json!({"command": "resolve", "entry": "act-1", "resolution": {"undo": {"stop_epoch": 0}}})),
        (&human, json!({"command": "stop", "keep_undos": true})),
        (&human, json!({"command": "resume", "stop_epoch": 1})),
        (&human, json!({"command": "set_phase", "agent": "sre", "phase": "autonomous", "stop_epoch": 0, "why": "test"})),
        (&human, json!({"command": "report_violation", "invariant": "I4", "agent": "sre", "detail": "seen"})),
        (&human, json!({"command": "acquire_lease", "scopes": ["cluster:east", "ext:a/b", "ns:east/shop"], "ttl_ms": 1_000})),
        (&human, json!({"command": "queue_lease", "scopes": ["ext:a/b"], "ttl_ms": 1_000, "priority": "containment"})),
        (&human, json!({"command": "renew_lease", "scope": "ext:a/b", "token": 3, "ttl_ms": 1_000})),
        (&human, json!({"command": "release_lease", "scope": "ext:a/b", "token": 3})),
        (&human, json!({"command": "forget_answers", "requests": ["r1", "r2"]})),
        (
            &human,
            json!({"command": "set_policy", "policy": {"version": 1, "limits": limits, "approval_severities": [1, 2], "caps": [
                {"agent": "sre", "kind": "rollout_restart", "cluster": "east", "namespace": "shop", "at_most": "assist"},
            ]}}),
        ),
        (&human, json!({"command": "restart_evidence", "agent": "sre", "why": "new model"})),
        (
            &actuator,
            json!({"command": "upload_journal", "actuator_epoch": 2, "last": true, "acts": [
                {
                    "claim": claim(), "work": {"work": "do", "action": proposal()["action"]}, "proposal": proposal(), "cost_pods": 1,
                    "token": 3, "report": {"report": "no_effect", "why": "fenced"},
                },
            ]}),
        ),
        (&human, json!({"command": "waive_journal", "cluster": "east", "why": "lost"})),
        (&human, json!({"command": "backup_taken", "revision": 3})),
        (&human, json!({"command": "retire_cluster", "cluster": "west", "why": "gone"})),
    ];
    let numbered = (0..).zip(commands);
    numbered
        .map(|(n, (by, command))| Said { by: by.clone(), request: json!({"request_id": format!("r{n}"), "command": command}) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::coordination::Request;

    #[test]
    fn each_is_a_message() {
        for said in requests() {
            let read = serde_json::from_value::<Request>(said.request.clone());
            assert!(read.is_ok(), "{}: {read:?}", said.request);
        }
    }
}
