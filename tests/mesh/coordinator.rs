//! The coordinator's own commands as a person types them, on real nodes under a real CA.

use crate::run::{alone, free_port, picket};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

/// Coordinator nodes as processes. Dropping it ends them.
struct Nodes {
    folder: tempfile::TempDir,
    ports: BTreeMap<u64, u16>,
    running: BTreeMap<u64, Child>,
}

impl Nodes {
    fn new() -> Self {
        let nodes = Self { folder: tempfile::tempdir().unwrap(), ports: BTreeMap::new(), running: BTreeMap::new() };
        let made = picket().args(["pki", "init", "--clusters", "east"]).arg(nodes.path("pki")).output().unwrap();
        assert!(made.status.success(), "{}", error(&made));
        nodes
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn address(&mut self, id: u64) -> String {
        format!("127.0.0.1:{}", self.ports.entry(id).or_insert_with(free_port))
    }

    /// A configuration that names these nodes.
    fn config(&mut self, ids: &[u64]) -> PathBuf {
        let list: Vec<_> = ids.iter().map(|id| format!("{id}: \"{}\"", self.address(*id))).collect();
        let names: Vec<_> = ids.iter().map(u64::to_string).collect();
        let file = self.path(&format!("picket-{}.yaml", names.join("-")));
        let (pki, data) = (self.path("pki"), self.path("data"));
        let text =
            format!("mesh:\n  pki_dir: {}\n  data_dir: {}\n  coordinators: {{ {} }}\n", pki.display(), data.display(), list.join(", "));
        std::fs::write(&file, text).unwrap();
        file
    }

    fn start(&mut self, config: &Path, id: u64, more: &[&str]) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("node-{id}.log"))).unwrap();
        let child = picket()
            .arg("--config")
            .arg(config)
            .args(["coordinator", "--id", &id.to_string()])
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running.insert(id, child);
    }

    fn kill(&mut self, id: u64) {
        let mut child = self.running.remove(&id).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // One that has ended by itself is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for id in self.ports.keys() {
                let log = std::fs::read_to_string(self.path(&format!("node-{id}.log"))).unwrap_or_default();
                eprintln!("node {id}:\n{log}");
            }
        }
    }
}

fn error(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn run(config: &Path, args: &[&str]) -> Output {
    picket().arg("--config").arg(config).args(args).output().unwrap()
}

fn says(config: &Path, args: &[&str]) -> String {
    let out = run(config, args);
    assert!(out.status.success(), "{args:?}: {}", error(&out));
    String::from_utf8(out.stdout).unwrap()
}

fn json(config: &Path, args: &[&str]) -> Value {
    let said = says(config, args);
    serde_json::from_str(&said).unwrap_or_else(|e| panic!("{args:?}: {e}: {said}"))
}

/// What a command says when it says no.
fn refused(config: &Path, args: &[&str]) -> String {
    let out = run(config, args);
    assert_eq!(out.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&out.stdout));
    let said = error(&out);
    assert_eq!(said.lines().filter(|l| l.starts_with("picket: ")).count(), 1, "one line: {said}");
    said
}

fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn voters(view: &Value) -> Vec<u64> {
    let members = view["members"].as_array().unwrap();
    members.iter().filter(|m| m["role"] == "voter").map(|m| m["id"].as_u64().unwrap()).collect()
}

fn token(held: &Value, scope: &str) -> u64 {
    held["tokens"][scope].as_u64().unwrap_or_else(|| panic!("no token of {scope} in {held}"))
}

#[test]
fn a_group_is_changed_governed_backed_up_lost_and_restored_from_the_command_line() {
    let _alone = alone();
    let mut nodes = Nodes::new();
    let config = nodes.config(&[1, 2, 3]);
    for id in 1..=3 {
        nodes.start(&config, id, &[]);
    }
    let view = eventually("the nodes have a leader", || {
        let out = run(&config, &["member", "ls", "--json"]);
        let view: Value = serde_json::from_slice(&out.stdout).ok()?;
        view["leader"].as_u64().map(|_| view)
    });
    assert_eq!(voters(&view), [1, 2, 3]);

    // Leases of other automation.
    let held = json(&config, &["lease", "acquire", "ext:repository/site", "ns:east/shop", "--ttl", "10m", "--json"]);
    let first = token(&held, "ext:repository/site");
    assert!(refused(&config, &["lease", "acquire", "ns:east/shop"]).contains("is held by"));
    assert!(refused(&config, &["lease", "queue", "ns:east/shop", "--timeout", "1s"]).contains("still before this one"));
    json(&config, &["lease", "renew", "ext:repository/site", "--token", &first.to_string(), "--ttl", "20m", "--json"]);
    assert!(refused(&config, &["lease", "release", "ns:east/shop", "--token", "0"]).contains("does not hold"));
    json(&config, &["lease", "release", "ext:repository/site", "--token", &first.to_string(), "--json"]);
    let again =
        json(&config, &["lease", "queue", "ns:east/shop", "--priority", "containment", "--ttl", "10m", "--timeout", "30s", "--json"]);
    let second = token(&again, "ns:east/shop");
    assert!(second > first);

    // Policy: shown, checked, set, and not overwritten unseen.
    let shown = says(&config, &["policy", "show"]);
    let mut policy: Value = serde_json::from_str(&shown).unwrap();
    policy["caps"] = serde_json::json!([{ "namespace": "pay", "at_most": "observe" }]);
    let file = nodes.path("policy.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(json(&config, &["policy", "check", file, "--json"])["caps"][0]["at_most"], "observe");
    let set = json(&config, &["policy", "set", file, "--json"]);
    assert_eq!((set["version"].as_u64(), set["caps"][0]["namespace"].as_str()), (Some(1), Some("pay")));
    assert!(refused(&config, &["policy", "set", file]).contains("look again"));

    // Evidence and clusters.
    assert_eq!(json(&config, &["phase", "restart", "sre", "--why", "another model", "--json"])["restarted"], "sre");
    assert!(refused(&config, &["cluster", "retire", "west", "--why", "sold"]).contains("not known"));

    // A node is added with a certificate of the same CA, and takes another's place.
    let pki = nodes.path("pki");
    let issued = picket().args(["pki", "issue"]).arg(&pki).arg("node:4").output().unwrap();
    assert!(issued.status.success(), "{}", error(&issued));
    let issued = picket().args(["pki", "issue"]).arg(&pki).arg("node:4").output().unwrap();
    assert!(error(&issued).contains("exists already"), "{}", error(&issued));
    let later = nodes.config(&[1, 2, 4]);
    nodes.start(&later, 4, &["--join"]);
    let at = nodes.address(4);
    assert!(refused(&config, &["member", "promote", "4"]).contains("no member"));
    let view = json(&config, &["member", "replace", "3", "4", &at, "--json"]);
    assert_eq!((voters(&view), view["removed"].clone()), (vec![1, 2, 4], serde_json::json!([3])));
    nodes.kill(3);
    let at = nodes.address(3);
    assert!(refused(&later, &["member", "add", "3", &at]).contains("never used twice"));
    let view = json(&later, &["member", "transfer", "4", "--json"]);
    assert_eq!(view["leader"], 4);
    let listed = says(&later, &["member", "ls"]);
    assert!(
        listed.contains("leader") && listed.contains("human:operator") && listed.contains("removed, never to be used again: 3"),
        "{listed}"
    );

    // Backed up, then lost with something that the backup does not know.
    let backup = nodes.path("state.backup");
    let backup = backup.to_str().unwrap();
    let kept = json(&later, &["backup", backup, "--json"]);
    assert_eq!(kept["head"]["taken_by"], "human:operator");
    let third = token(&json(&later, &["lease", "acquire", "ext:repository/late", "--json"]), "ext:repository/late");
    for id in [1, 2, 4] {
        nodes.kill(id);
    }

    // Restored as one node with an id of its own.
    let restored = nodes.config(&[5]);
    let fresh = nodes.path("fresh");
    assert!(refused(&later, &["restore", backup, "--id", "1", "--data-dir", fresh.to_str().unwrap()]).contains("never used"));
    let issued = picket().args(["pki", "issue"]).arg(&pki).arg("node:5").output().unwrap();
    assert!(issued.status.success(), "{}", error(&issued));
    let key_before = std::fs::read_to_string(pki.join("permit-verify.pub")).unwrap();
    let damaged = nodes.path("damaged.backup");
    std::fs::write(&damaged, &std::fs::read(backup).unwrap()[..1000]).unwrap();
    let said = refused(&restored, &["restore", damaged.to_str().unwrap(), "--id", "5"]);
    assert!(said.contains("damaged at byte") && said.contains("use another backup"), "{said}");
    let foreign = refused(&restored, &["restore", file, "--id", "5"]);
    assert!(foreign.contains("is no backup"), "{foreign}");
    let founded = json(&restored, &["restore", backup, "--id", "5", "--json"]);
    assert_eq!((founded["restore_epoch"].as_u64(), founded["is_permit_key_new"].as_bool()), (Some(1), Some(true)));
    assert_ne!(std::fs::read_to_string(pki.join("permit-verify.pub")).unwrap(), key_before);
    assert!(refused(&restored, &["restore", backup, "--id", "5"]).contains("not empty"));
    nodes.start(&restored, 5, &[]);
    let status = eventually("the restored node answers", || {
        let out = run(&restored, &["restore", "status", "--json"]);
        serde_json::from_slice::<Value>(&out.stdout).ok()
    });
    assert_eq!(status["restore_epoch"], 1);
    assert!(says(&restored, &["restore", "status"]).contains("restored by human:operator"));
    assert!(refused(&restored, &["resume"]).contains("lost life"), "the wait is not over");
    assert!(refused(&restored, &["restore", "waive", "east", "--why", "lost"]).contains("not known"), "no actuator ever registered");
    assert!(refused(&restored, &["lease", "acquire", "ext:repository/new"]).contains("restored from a backup"));
    assert_eq!(json(&restored, &["policy", "show"])["version"], 1, "the policy is restored");
    let leases = json(&restored, &["lease", "ls", "--json"]);
    let shop = leases.as_array().unwrap().iter().find(|l| l["scope"] == "ns:east/shop").expect("what was promised is restored");
    assert!(shop["token"].as_u64().unwrap() > third, "I2, also above what was issued after the backup");
}
