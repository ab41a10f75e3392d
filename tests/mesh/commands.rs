//! The commands as a user types them.

use crate::run::picket;
use std::path::{Path, PathBuf};
use std::process::Output;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sre-agent-config.yaml")
}

fn validate(text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picket.yaml");
    std::fs::write(&file, text).unwrap();
    picket().args(["config", "validate"]).arg(&file).output().unwrap()
}

fn error(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn the_reference_configuration_loads_as_it_stands() {
    let out = picket().args(["config", "validate"]).arg(reference()).output().unwrap();
    assert!(out.status.success(), "{}", error(&out));
}

#[test]
fn a_provider_that_is_not_built_is_refused_by_name_at_start() {
    let out = picket().arg("--config").arg(reference()).arg("gateway").output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(error(&out).contains("diagnostics.llm_provider") && error(&out).contains("not built yet"), "{}", error(&out));
}

#[test]
fn what_contradicts_an_invariant_is_refused_with_line_and_reason() {
    let text = std::fs::read_to_string(reference()).unwrap();
    for (right, wrong, key) in [
        ("auto_rollback_on_degradation: true", "auto_rollback_on_degradation: false", "auto_rollback_on_degradation"),
        ("idempotency: true", "idempotency: false", "idempotency"),
        ("violation_limit: 0", "violation_limit: 2", "violation_limit"),
        ("approval_required_for_severity: [1, 2]", "approval_required_for_severity: [1]", "approval_required_for_severity"),
        ("max_fleet_restart_ratio: 0.10", "max_fleet_restart_ratio: 0.26", "max_fleet_restart_ratio"),
    ] {
        assert!(text.contains(right));
        let out = validate(&text.replace(right, wrong));
        let said = error(&out);
        assert_eq!(out.status.code(), Some(1), "{wrong}");
        let expected = text.lines().position(|l| l.contains(right)).unwrap() + 1;
        assert!(said.contains(key) && said.contains(&format!(":{expected}:")), "{wrong}: {said}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let text = std::fs::read_to_string(reference()).unwrap().replace("idempotency", "idempotencey");
    let out = validate(&text);
    assert_eq!(out.status.code(), Some(1));
    let line = text.lines().position(|l| l.contains("idempotencey")).unwrap() + 1;
    assert!(error(&out).contains(&format!("line {line}")) && error(&out).contains("nearest known key is `idempotency`"), "{}", error(&out));
}

#[test]
fn bad_usage_exits_with_two_and_a_missing_file_with_one() {
    assert_eq!(picket().arg("frobnicate").output().unwrap().status.code(), Some(2));
    let out = picket().args(["--config", "/nonexistent.yaml", "gateway"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(error(&out).contains("/nonexistent.yaml"), "{}", error(&out));
}

#[test]
fn the_knowledge_base_is_searched() {
    let out = picket().args(["kb", "search", "--json", "--top", "3", "container", "killed", "for", "memory"]).output().unwrap();
    assert!(out.status.success(), "{}", error(&out));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let causes: Vec<_> = found.as_array().unwrap().iter().filter_map(|p| p["cause"].as_str()).collect();
    assert!(causes.iter().any(|c| c.starts_with("memory")), "{found:#}");
}
