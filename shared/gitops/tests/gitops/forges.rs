//! Requests: opened once, merged when green, never without.

use crate::repository::{CART, NOW, Repository, cart, scale, work};
use crate::server::{Asked, Server};
use picket_core::action::Remediation;
use picket_core::ports::{PortError, Proof, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_executor_conformance::claimed;
use picket_gitops::{ForgeKind, ForgeSettings, GitOpsExecutor, GitOpsSettings, Route, Routed, Routes, is_want_of_rights};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What the forge knows.
#[derive(Default)]
struct Project {
    requests: Vec<Value>,
    /// Check runs (GitHub) or the pipeline's status (GitLab).
    checks: Value,
    /// A status that everything is answered with.
    broken: Option<u16>,
}

struct Forge {
    repository: Repository,
    server: Server,
    project: Arc<Mutex<Project>>,
    kind: ForgeKind,
}

fn head_of(bare: &PathBuf, branch: &str) -> String {
    let output = Command::new("git").current_dir(bare).args(["rev-parse", "--verify", branch]).output().unwrap();
    assert!(output.status.success(), "a request for a branch that is not there: {branch}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn github(project: &mut Project, asked: &Asked, bare: &PathBuf) -> (u16, Value) {
    assert_eq!(asked.header("authorization"), "Bearer t0ken");
    assert_eq!(asked.header("accept"), "application/vnd.github+json");
    assert_eq!(asked.header("x-github-api-version"), "2022-11-28");
    assert!(!asked.header("user-agent").is_empty(), "GitHub refuses requests without");
    if asked.is("GET", "/repos/team/deploy/pulls") {
        assert!(asked.query.contains("state=all") && asked.query.contains("head=team%3Apicket%2F") && asked.query.contains("base=main"));
        return (200, json!(project.requests));
    }
    if asked.is("POST", "/repos/team/deploy/pulls") {
        let branch = asked.body["head"].as_str().unwrap();
        assert_eq!(asked.body["base"], "main");
        let number = project.requests.len() + 1;
        let made = json!({"number": number, "html_url": format!("https://github.test/team/deploy/pull/{number}"), "state": "open", "merged_at": null,
            "head": {"ref": branch, "sha": head_of(bare, branch)}, "body": asked.body["body"], "title": asked.body["title"]});
        project.requests.push(made.clone());
        return (201, made);
    }
    if asked.method == "PATCH" && asked.path.starts_with("/repos/team/deploy/pulls/") {
        assert_eq!(asked.body, json!({"state": "closed"}));
        project.requests[0]["state"] = "closed".into();
        return (200, project.requests[0].clone());
    }
    if asked.path.ends_with("/check-runs") {
        return (200, json!({"total_count": project.checks.as_array().map_or(0, Vec::len), "check_runs": project.checks}));
    }
    // Without any status the combined state is "pending" all the same.
    assert!(asked.path.starts_with("/repos/team/deploy/commits/") && asked.path.ends_with("/status"), "{asked:?}");
    (200, json!({"state": "pending", "total_count": 0, "statuses": []}))
}

fn gitlab(project: &mut Project, asked: &Asked, bare: &PathBuf) -> (u16, Value) {
    assert_eq!(asked.header("private-token"), "t0ken");
    let requests = "/api/v4/projects/team%2Fdeploy/merge_requests";
    if asked.is("GET", requests) {
        assert!(asked.query.contains("source_branch=picket%2F") && asked.query.contains("target_branch=main"));
        return (200, json!(project.requests));
    }
    if asked.is("POST", requests) {
        let branch = asked.body["source_branch"].as_str().unwrap();
        assert_eq!((&asked.body["target_branch"], &asked.body["remove_source_branch"]), (&json!("main"), &json!(true)));
        let number = project.requests.len() + 1;
        let made = json!({"iid": number, "web_url": format!("https://gitlab.test/team/deploy/-/merge_requests/{number}"), "state": "opened",
            "source_branch": branch, "sha": head_of(bare, branch), "title": asked.body["title"], "description": asked.body["description"]});
        project.requests.push(made.clone());
        return (201, made);
    }
    if asked.method == "PUT" {
        assert_eq!((asked.path.as_str(), &asked.body), (format!("{requests}/1").as_str(), &json!({"state_event": "close"})));
        project.requests[0]["state"] = "closed".into();
        return (200, project.requests[0].clone());
    }
    assert!(asked.is("GET", "/api/v4/projects/team%2Fdeploy/pipelines") && asked.query.contains("sha="), "{asked:?}");
    (200, if project.checks.is_null() { json!([]) } else { json!([{"id": 41, "status": project.checks}]) })
}

impl Forge {
    async fn new(kind: ForgeKind) -> Self {
        let (repository, project) = (Repository::new(), Arc::new(Mutex::new(Project::default())));
        let (bare, shared) = (repository.bare(), project.clone());
        let server = Server::start(move |asked| {
            let mut project = shared.lock().unwrap();
            if let Some(status) = project.broken {
                return (status, json!({"message": "so it is"}));
            }
            if kind == ForgeKind::GitLab { gitlab(&mut project, asked, &bare) } else { github(&mut project, asked, &bare) }
        });
        std::fs::write(repository.path().join("token"), "t0ken\n").unwrap();
        Self { server: server.await, repository, project, kind }
    }

    fn settings(&self) -> GitOpsSettings {
        let mut settings = self.repository.settings();
        let version = if self.kind == ForgeKind::GitLab { "/api/v4" } else { "" };
        settings.entries[0].forge = ForgeSettings {
            kind: self.kind,
            api_url: format!("{}{version}", self.server.url),
            project: "team/deploy".into(),
            token_file: self.repository.path().join("token").display().to_string(),
            ..ForgeSettings::default()
        };
        settings
    }

    fn executor(&self) -> GitOpsExecutor {
        self.repository.executor_with(&self.settings(), "state")
    }

    fn checks(&self, github: Value, gitlab: &str) {
        self.project.lock().unwrap().checks = if self.kind == ForgeKind::GitLab { json!(gitlab) } else { json!([github]) };
    }

    fn green(&self) {
        self.checks(json!({"name": "ci", "status": "completed", "conclusion": "success"}), "success");
    }

    async fn pending(&self, work: &Work, words: &str) {
        let head = self.repository.head();
        match self.executor().prepare(work).await {
            Err(PortError::Unavailable { why, .. }) => assert!(why.contains(words), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(self.repository.head(), head, "opening a request has no effect");
    }

    fn opened(&self) -> usize {
        self.project.lock().unwrap().requests.len()
    }

    fn branch(&self, work: &Work) -> String {
        format!("picket/{}", &work.digest().0[..16])
    }
}

const FORGES: [ForgeKind; 2] = [ForgeKind::GitHub, ForgeKind::GitLab];

#[tokio::test]
async fn a_request_is_opened_once_and_merged_when_its_checks_are_green() {
    for kind in FORGES {
        let forge = Forge::new(kind).await;
        forge.pending(&scale(5), "begun").await;
        forge.checks(json!({"name": "ci", "status": "in_progress", "conclusion": null}), "running");
        forge.pending(&scale(5), if kind == ForgeKind::GitLab { "pipeline 41: running" } else { "ci" }).await;
        assert_eq!(forge.opened(), 1);
        let request = forge.project.lock().unwrap().requests[0].to_string();
        assert!(request.contains("scale east/shop/cart from 3 to 5 replicas") && request.contains(&scale(5).digest().0), "{request}");
        let branch = forge.branch(&scale(5));
        let requested = forge.repository.ask(&["rev-parse", &branch]);
        forge.green();
        // Somebody else's change elsewhere does not make the request void.
        forge.repository.commit("by hand", &[("README.md", "two carts\n")]);
        let head = forge.repository.head();
        let before = forge.executor().prepare(&scale(5)).await.unwrap();
        assert_eq!(before.resource_version, head);
        let receipt = forge.executor().execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
        assert_eq!(forge.repository.ask(&["log", "-1", "--format=%P", "main"]), format!("{head} {requested}"), "a merge of the request");
        assert_eq!(forge.repository.show(CART).unwrap(), cart(2, 5));
        assert_eq!(forge.repository.show("README.md").unwrap(), "two carts\n");
        let proof = forge.executor().prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
        assert_eq!(proof, Proof::Effect(receipt));
        assert_eq!(forge.opened(), 1);
    }
}

#[tokio::test]
async fn red_checks_and_a_persons_no_are_refusals() {
    for kind in FORGES {
        let forge = Forge::new(kind).await;
        forge.checks(json!({"name": "ci", "status": "completed", "conclusion": "failure"}), "failed");
        let answer = forge.executor().prepare(&scale(5)).await;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("are red")), "{answer:?}");
        forge.green();
        forge.project.lock().unwrap().requests[0]["state"] = "closed".into();
        let answer = forge.executor().prepare(&scale(5)).await;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("somebody closed")), "{answer:?}");
        assert_eq!(forge.opened(), 1);
        assert_eq!(forge.repository.show(CART).unwrap(), cart(2, 3));
    }
}

#[tokio::test]
async fn a_request_whose_file_has_changed_is_made_anew() {
    let forge = Forge::new(ForgeKind::GitHub).await;
    forge.pending(&scale(5), "begun").await;
    let first = forge.repository.ask(&["rev-parse", &forge.branch(&scale(5))]);
    forge.repository.commit("v3", &[(CART, &cart(3, 3))]);
    forge.pending(&scale(5), "begun").await;
    let second = forge.repository.ask(&["rev-parse", &forge.branch(&scale(5))]);
    assert_ne!(first, second);
    assert_eq!(forge.repository.ask(&["show", &format!("{second}:{CART}")]), cart(3, 5).trim_end());
    assert_eq!(forge.opened(), 1, "the request follows its branch");
    // What somebody else has put on the branch is not what is merged.
    forge.green();
    let work_tree = forge.repository.path().join("other");
    forge.repository.git(forge.repository.path(), &["clone", "--quiet", "--branch", &forge.branch(&scale(5)), "deploy.git", "other"]);
    std::fs::write(work_tree.join("README.md"), "slipped in\n").unwrap();
    forge.repository.git(&work_tree, &["commit", "--quiet", "-a", "-m", "slipped in"]);
    forge.repository.git(&work_tree, &["push", "--quiet"]);
    let before = forge.executor().prepare(&scale(5)).await.unwrap();
    forge.executor().execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert_eq!(
        (forge.repository.show("README.md").unwrap(), forge.repository.show(CART).unwrap()),
        ("a cart is a cart\n".into(), cart(3, 5))
    );
}

#[tokio::test]
async fn the_same_act_another_time_is_another_request() {
    let forge = Forge::new(ForgeKind::GitHub).await;
    forge.green();
    for (entry, token) in [("act-1", 7), ("act-2", 8)] {
        let before = forge.executor().prepare(&scale(5)).await.unwrap();
        forge.executor().execute(&claimed(entry, &scale(5), token), &before, NOW).await.unwrap();
        assert_eq!(forge.repository.show(CART).unwrap(), cart(2, 5));
        let mut project = forge.project.lock().unwrap();
        let request = project.requests.last_mut().unwrap();
        (request["state"], request["merged_at"]) = ("closed".into(), "2023-11-14T22:13:20Z".into());
        drop(project);
        forge.repository.commit("back by hand", &[(CART, &cart(2, 3))]);
    }
    assert_eq!(forge.opened(), 2);
}

#[tokio::test]
async fn a_restarts_time_is_that_of_its_request() {
    let (forge, restart) = (Forge::new(ForgeKind::GitHub).await, work(Remediation::RolloutRestart));
    forge.green();
    let before = forge.executor().prepare(&restart).await.unwrap();
    let later = NOW.plus_ms(3_600_000);
    let receipt = forge.executor().execute(&claimed("act-1", &restart, 7), &before, later).await.unwrap();
    assert!(forge.repository.show(CART).unwrap().contains("kubectl.kubernetes.io/restartedAt: \"2023-11-14T22:13:20Z\""));
    let proof = forge.executor().prove(&"act-1".into(), FencingToken(7), &restart, &before, later).await.unwrap();
    assert_eq!(proof, Proof::Effect(receipt));
}

#[tokio::test]
async fn a_work_that_is_given_up_closes_its_request() {
    for kind in FORGES {
        let forge = Forge::new(kind).await;
        forge.executor().abandon(&scale(5)).await.unwrap();
        forge.pending(&scale(5), "begun").await;
        let mut settings = forge.settings();
        settings.entries[0].route = Route::Git;
        let (direct, routes) = (forge.repository.executor_with(&settings, "direct"), Routes::of(&settings, &"east".into()));
        let routed = Routed::new(direct, forge.executor(), routes, is_want_of_rights);
        for _ in 0..2 {
            routed.abandon(&scale(5)).await.unwrap();
        }
        assert_eq!(forge.project.lock().unwrap().requests[0]["state"], "closed");
        assert_eq!(forge.repository.ask(&["branch", "--list", "picket/*"]), "");
    }
}

#[tokio::test]
async fn a_forge_that_fails_is_told_apart() {
    let forge = Forge::new(ForgeKind::GitHub).await;
    let answer = async |status: u16| {
        forge.project.lock().unwrap().broken = Some(status);
        forge.executor().prepare(&scale(5)).await.unwrap_err()
    };
    for status in [401, 403, 422, 302] {
        assert!(matches!(answer(status).await, PortError::Refused { .. }), "{status}");
    }
    for status in [429, 500, 503] {
        assert!(matches!(answer(status).await, PortError::Unavailable { .. }), "{status}");
    }
    let token = forge.repository.path().join("token");
    std::fs::write(&token, "").unwrap();
    let error = answer(200).await;
    assert!(matches!(&error, PortError::Refused { why, .. } if why.contains("holds no token")), "{error:?}");
    assert_eq!(forge.repository.show(CART).unwrap(), cart(2, 3));
}
