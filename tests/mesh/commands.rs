//! The commands as a user types them.

use crate::run::{free_port, picket};
use picket_core::config::Config;
use std::collections::BTreeMap;
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
    assert!(error(&out).contains("diagnostics.rag.vector_db") && error(&out).contains("not built yet"), "{}", error(&out));
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

/// No container engine is needed for this much: that the file and the binary mean the same.
#[test]
fn the_compose_file_runs_roles_that_picket_knows_on_a_configuration_that_loads() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let out = picket().args(["config", "validate"]).arg(deploy.join("picket.yaml")).output().unwrap();
    assert!(out.status.success(), "{}", error(&out));
    let config: Config = serde_saphyr::from_str(&std::fs::read_to_string(deploy.join("picket.yaml")).unwrap()).unwrap();
    let compose: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(deploy.join("compose.yaml")).unwrap()).unwrap();
    let mut roles = BTreeMap::new();
    for (name, service) in compose["services"].as_object().unwrap().iter().filter(|(name, _)| *name != "nats") {
        let args: Vec<_> = service["command"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        // Taken by the parser, it goes on to the configuration, which is not there.
        let out = picket().env("PICKET_CONFIG", "/nonexistent.yaml").args(&args).output().unwrap();
        assert!(out.status.code() == Some(1) && error(&out).contains("/nonexistent.yaml"), "{name}: {}", error(&out));
        match args[..] {
            ["coordinator", "--id", id] => {
                let address = &config.mesh.coordinators[&id.parse::<u64>().unwrap()];
                assert_eq!(address.split(':').next(), Some(name.as_str()), "node {id} is reached by its container's name");
            }
            [_, "--cluster", cluster] => assert!(config.mesh.clusters.iter().any(|c| c.name == cluster), "{name}"),
            _ => {}
        }
        *roles.entry(args[0].to_owned()).or_insert(0) += 1;
    }
    let expected = [("actuator", 1), ("agent", 3), ("coordinator", 3), ("dashboard", 1), ("gateway", 1), ("observer", 1)];
    assert_eq!(roles, expected.map(|(role, count)| (role.to_owned(), count)).into());
    // The certificates that the file's first lines have made are those that its roles ask for.
    let pki = tempfile::tempdir().unwrap();
    let dir = pki.path().join("pki");
    let hosts: Vec<_> = config.mesh.coordinators.values().map(|a| a.split(':').next().unwrap()).collect();
    let out = picket().args(["pki", "init"]).arg(&dir).args(["--clusters", "main", "--hosts", &hosts.join(",")]).output().unwrap();
    assert!(out.status.success(), "{}", error(&out));
    for name in ["ca", "node-1", "node-3", "agent-finops", "observer-main", "actuator-main", "dashboard", "human-operator"] {
        assert!(dir.join(format!("{name}.pem")).exists(), "{name}.pem");
    }
}

#[test]
fn a_scenario_that_does_not_exist_is_bad_usage_and_the_message_names_those_that_do() {
    for command in [&["demo"][..], &["eval", "scenarios"]] {
        let out = picket().args(command).args(["--scenario", "chaos"]).output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        assert!(error(&out).contains("chaos") && error(&out).contains("earn"), "{}", error(&out));
    }
}

#[test]
fn the_doctor_names_what_does_not_answer_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picket.yaml");
    let nowhere = free_port();
    let text = format!(
        "mesh:\n  pki_dir: {pki}\n  nats_url: nats://127.0.0.1:{nowhere}\n  coordinators: {{1: \"127.0.0.1:{nowhere}\"}}\n",
        pki = folder.path().join("pki").display()
    );
    std::fs::write(&file, text).unwrap();
    let out = picket().arg("--config").arg(&file).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", error(&out));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["ok"], false);
    for (name, advice) in [("certificates", "pki init"), ("coordinator 1", "coordinator --id 1"), ("bus", "nats-server")] {
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).expect(name);
        assert!(check["status"] == "failed" && check["advice"].as_str().unwrap().contains(advice), "{check:#}");
    }
    let out = picket().arg("--config").arg(&file).arg("doctor").output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(said.contains("FAILED") && said.contains("What to do:"), "{said}");
}
