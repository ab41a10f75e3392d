//! The guide for platform teams holds: its settings are taken, and its metrics are counted.

use picket_chatops::settings::ChatOpsSettings;
use picket_chatops::slack::interaction::OPEN_ACTION_ID;
use std::collections::BTreeSet;
use std::path::Path;

const GUIDE: &str = include_str!("../../../../docs/chatops.md");

#[test]
fn the_settings_in_the_guide_are_taken() {
    let block = GUIDE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let text = block.replace("${TEAMS_WORKFLOW_URL}", "https://prod-1.logic.example/workflows/w");
    let settings: ChatOpsSettings = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(settings.problems("chatops"), []);
    assert_eq!(settings.slack.people.len(), 2);
}

#[test]
fn the_manifest_points_to_where_presses_are_taken() {
    let manifest = GUIDE.split("```yaml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let manifest: serde_json::Value = serde_saphyr::from_str(manifest).unwrap();
    let url = manifest["settings"]["interactivity"]["request_url"].as_str().unwrap();
    assert!(url.ends_with("/slack/interactions"), "{url}");
    assert_eq!(manifest["oauth_config"]["scopes"]["bot"], serde_json::json!(["chat:write"]));
    // The link button's id is not one that decides.
    assert_eq!(picket_chatops::slack::button::Verb::of_action(OPEN_ACTION_ID), None);
}

fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, into);
        } else {
            into.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

fn metrics(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("picket_chatops_").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.chars().take_while(|c| is_name(*c)).collect()).collect()
}

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let mut code = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
    assert!(!metrics(&code).is_empty());
    assert_eq!(metrics(&code), metrics(GUIDE));
}
