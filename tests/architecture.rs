//! The rules of the house, checked: who may depend on whom, how long a file may be, which names are not used, no dead files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of picket's own crates each may depend on (docs/ARCHITECTURE.md).
const ALLOWED: &[(&str, &[&str])] = &[
    ("picket-core", &[]),
    ("picket-detection", &["picket-core"]),
    ("picket-diagnosis", &["picket-core", "picket-detection"]),
    ("picket-pipeline", &["picket-core", "picket-detection", "picket-diagnosis"]),
    ("picket-agent-sre", &["picket-core", "picket-detection", "picket-diagnosis", "picket-pipeline"]),
    ("picket-agent-finops", &["picket-core", "picket-detection", "picket-diagnosis", "picket-pipeline"]),
    ("picket-agent-secops", &["picket-core", "picket-detection", "picket-diagnosis", "picket-pipeline"]),
    ("picket-adapters", &["picket-core"]),
    ("picket-state-machine", &["picket-core"]),
    ("picket-rules", &["picket-core"]),
    ("picket-executor-conformance", &["picket-core"]),
    ("picket-chatops", &["picket-core"]),
    ("picket-gitops", &["picket-core"]),
    ("picket-clouds", &["picket-core"]),
    ("picket-coordinator", &["picket-core", "picket-state-machine", "picket-rules", "picket-coordinator-transport"]),
    // Bytes and connections, and the few words that clients and nodes must agree on.
    ("picket-coordinator-transport", &[]),
    // Written from the protocol, not from the code: what both get wrong, they get wrong independently.
    ("picket-protocol-model", &[]),
    ("picket-coordinator-client", &["picket-core", "picket-coordinator-transport"]),
    ("picket-coordinator-simulation", &["picket-core", "picket-state-machine", "picket-coordinator"]),
    // The verdict comes from outside: the state machine is there for its settings alone.
    (
        "picket-coordinator-chaos",
        &["picket-core", "picket-state-machine", "picket-coordinator", "picket-coordinator-client", "picket-coordinator-transport"],
    ),
    ("picket-dashboard-server", &["picket-core", "picket-coordinator-client"]),
    ("picket-dashboard-ui", &["picket-core"]),
    ("picket-evaluation", &["picket-core", "picket-detection", "picket-diagnosis"]),
    ("picket-loadtest", &["picket-core"]),
    // The roles as they ship around a simulated cluster: it needs them all, and nothing that ships needs it.
    (
        "picket-mesh-simulation",
        &[
            "picket-core",
            "picket-detection",
            "picket-diagnosis",
            "picket-pipeline",
            "picket-adapters",
            "picket-state-machine",
            "picket-coordinator-simulation",
            "picket-agent-sre",
            "picket-agent-finops",
            "picket-agent-secops",
            "picket-loadtest",
        ],
    ),
    ("xtask", &[]),
];

/// What the pure crates may use from outside: data, arithmetic, and nothing that reads a clock or opens a file.
const PURE: &[&str] = &["picket-core", "picket-detection", "picket-diagnosis", "picket-state-machine", "picket-pipeline", "picket-rules"];
const PURE_OUTSIDE: &[&str] = &[
    "cedar-policy",
    "ed25519-dalek",
    "futures",
    "hex",
    "petgraph",
    "rand",
    "rand_chacha",
    "regex",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "tracing",
];

const LINES_MAX: usize = 600;
const BANNED_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out =
        Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root()).output().expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// Normal dependencies of every crate of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    list(&metadata()["packages"])
        .iter()
        .map(|package| {
            let normal = list(&package["dependencies"]).iter().filter(|d| d["kind"].is_null()).map(|d| text(&d["name"])).collect();
            (text(&package["name"]), normal)
        })
        .collect()
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let allowed: BTreeMap<_, BTreeSet<_>> = ALLOWED.iter().map(|(name, list)| (*name, list.iter().copied().collect())).collect();
    for (name, dependencies) in dependencies() {
        if name == "picket" {
            continue;
        }
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the list: decide what it may depend on"));
        for own in dependencies.iter().filter(|d| d.starts_with("picket")) {
            assert!(allowed.contains(own.as_str()), "{name} may not depend on {own}");
        }
    }
}

/// The model checks the protocol; what is shipped does not carry it.
#[test]
fn nothing_depends_on_the_protocol_model() {
    for (name, dependencies) in dependencies() {
        assert!(!dependencies.contains("picket-protocol-model"), "{name} may not depend on the model");
    }
}

#[test]
fn pure_crates_use_nothing_impure_from_outside() {
    let all = dependencies();
    for name in PURE {
        for outside in all[*name].iter().filter(|d| !d.starts_with("picket")) {
            assert!(PURE_OUTSIDE.contains(&outside.as_str()), "{name} is pure and may not depend on {outside}");
        }
    }
}

/// The faults that are planted to test the checks are in no build that ships: no default has them, and nobody depends on them.
#[test]
fn no_crate_turns_planted_faults_on() {
    let is_planted = |feature: &serde_json::Value| feature.as_str().is_some_and(|f| f.contains("planted-faults"));
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let mut declared = 0;
    for package in list(&metadata()["packages"]) {
        let features = package["features"].as_object().cloned().unwrap_or_default();
        declared += features.keys().filter(|name| *name == "planted-faults").count();
        assert!(!features.get("default").is_some_and(|on| list(on).iter().any(is_planted)), "{} has faults by default", package["name"]);
        for dependency in list(&package["dependencies"]).iter().filter(|d| d["kind"].is_null()) {
            assert!(!list(&dependency["features"]).iter().any(is_planted), "{} turns them on in {}", package["name"], dependency["name"]);
        }
    }
    assert!(declared > 0, "the feature has another name by now: rename it here");
}

/// Every Rust file under version control's eye: not build products.
fn rust_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("readable").filter_map(Result::ok) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" && name != "dist" {
                    walk(&path, found);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.len() > 100, "the walk found only {} files", found.len());
    found
}

#[test]
fn files_are_short_enough_to_read_in_one_go() {
    for path in rust_files() {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let lines = text.lines().count();
        let reason_given = text.lines().next().is_some_and(|first| first.contains("Long because"));
        assert!(lines <= LINES_MAX || reason_given, "{} has {lines} lines", path.display());
    }
}

#[test]
fn names_say_what_a_file_is_about() {
    for path in rust_files() {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        for name in [&stem, &folder] {
            assert!(!BANNED_NAMES.contains(&name.as_str()), "{}: `{name}` says nothing", path.display());
        }
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let manager = text.lines().find(|l| l.trim_start().starts_with("pub struct ") && l.contains("Manager"));
        assert!(manager.is_none(), "{}: {manager:?}", path.display());
    }
}

/// A file that no `mod` names is dead: it compiles nowhere and rots.
#[test]
fn every_file_belongs_to_a_module() {
    let files = rust_files();
    let declared: BTreeSet<String> = files
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).expect("UTF-8");
            // `#[path = "…/wire.rs"]` names a file as well.
            let by_path = text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \"")?.split('"').next());
            let by_path = by_path.filter_map(|path| Path::new(path).file_stem()).map(|stem| stem.to_string_lossy().into_owned());
            let names: Vec<_> = text
                .lines()
                .filter_map(|line| {
                    line.trim()
                        .trim_start_matches("pub ")
                        .trim_start_matches("pub(crate) ")
                        .trim_start_matches("pub(super) ")
                        .strip_prefix("mod ")
                })
                .filter_map(|rest| rest.split([';', ' ', '{']).next())
                .map(str::to_owned)
                .chain(by_path)
                .collect();
            names
        })
        .collect();
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let in_tests_root = path.parent() == Some(&root().join("tests"))
            || path.components().any(|c| c.as_os_str() == "tests" || c.as_os_str() == "benches" || c.as_os_str() == "examples");
        let is_root = matches!(stem.as_str(), "lib" | "main" | "build");
        let name =
            if stem == "mod" { path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned() } else { stem };
        assert!(is_root || in_tests_root || declared.contains(&name), "{} belongs to no module", path.display());
    }
}
