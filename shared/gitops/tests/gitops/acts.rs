//! What acts do to files, and what they refuse to touch.

use crate::repository::{CART, NOW, Repository, cart, scale, work, work_on};
use picket_core::action::Remediation;
use picket_core::outcome::Receipt;
use picket_core::ports::{PortError, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_executor_conformance::claimed;

async fn done(repository: &Repository, entry: &str, token: u64, work: &Work) -> Receipt {
    let executor = repository.executor();
    let before = executor.prepare(work).await.unwrap();
    executor.execute(&claimed(entry, work, token), &before, NOW).await.unwrap()
}

fn undo(work: &Work, receipt: &Receipt) -> Work {
    Work::Undo { action: work.action().clone(), receipt: receipt.clone() }
}

async fn refused(repository: &Repository, work: &Work) -> String {
    match repository.executor().prepare(work).await {
        Err(PortError::Refused { why, .. }) => why,
        other => panic!("{work:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_commit_says_who_and_why_and_changes_one_line() {
    let repository = Repository::new();
    let head = repository.head();
    let receipt = done(&repository, "act-1", 7, &scale(5)).await;
    assert_eq!(repository.show(CART).unwrap(), cart(2, 5), "comments and all");
    assert_eq!(
        (receipt.resource_version_before.as_str(), receipt.resource_version_after.as_str()),
        (head.as_str(), repository.head().as_str())
    );
    assert_eq!((&receipt.before["/spec/replicas"], &receipt.after["/spec/replicas"]), (&3.into(), &5.into()));
    assert_eq!((receipt.object.kind.as_str(), receipt.object.name.as_str()), ("git/Deployment", "cart"));
    let message = repository.message("main");
    assert_eq!(
        message.lines().collect::<Vec<_>>(),
        [
            "picket: scale east/shop/cart from 3 to 5 replicas",
            "",
            "Picket-Action-Id: act-1",
            "Picket-Act: scale",
            "Picket-Target: git/Deployment shop/cart",
            "Picket-Fencing-Token: ns:east/shop 7"
        ]
    );
    let told = repository.ask(&["log", "-1", "--format=%an <%ae> %ct %P", "main"]);
    assert_eq!(told, format!("picket <picket@localhost> 1700000000 {head}"));
    assert_eq!(repository.executor().prepare(&work(Remediation::RolloutRestart)).await.unwrap().token.map(|t| t.0), Some(7));
}

#[tokio::test]
async fn an_undo_gives_every_byte_back_and_leaves_others_changes_alone() {
    let limit = work(Remediation::SetMemoryLimit { container: "proxy".into(), limit_bytes: 1 << 30 });
    let repository = Repository::new();
    let receipt = done(&repository, "act-1", 7, &limit).await;
    done(&repository, "act-2", 8, &undo(&limit, &receipt)).await;
    assert_eq!(repository.show(CART).unwrap(), cart(2, 3));
    assert!(repository.message("main").contains(&format!("Picket-Undoes: {}", receipt.resource_version_after)));
    // Somebody changed something else in the same file.
    let repository = Repository::new();
    let receipt = done(&repository, "act-1", 7, &limit).await;
    let theirs = repository.show(CART).unwrap().replace("replicas: 3", "replicas: 4");
    repository.commit("by hand", &[(CART, &theirs)]);
    done(&repository, "act-2", 8, &undo(&limit, &receipt)).await;
    assert_eq!(repository.show(CART).unwrap(), cart(2, 4));
}

#[tokio::test]
async fn an_undo_of_a_rollback_brings_the_template_back_around_others_changes() {
    let (repository, rollback) = (Repository::new(), work(Remediation::Rollback { to_revision: 1 }));
    let receipt = done(&repository, "act-1", 7, &rollback).await;
    assert_eq!(repository.show(CART).unwrap(), cart(1, 3));
    repository.commit("by hand", &[(CART, &cart(1, 4))]);
    done(&repository, "act-2", 8, &undo(&rollback, &receipt)).await;
    assert_eq!(repository.show(CART).unwrap(), cart(2, 4));
}

#[tokio::test]
async fn an_undo_needs_the_acts_commit_and_no_other_act_after_it() {
    let repository = Repository::new();
    let receipt = done(&repository, "act-1", 7, &scale(5)).await;
    done(&repository, "act-2", 8, &scale(7)).await;
    repository.commit("by hand", &[(CART, &cart(2, 5))]);
    assert!(refused(&repository, &undo(&scale(5), &receipt)).await.contains("another act"));
    let mut strange = receipt.clone();
    strange.after.insert("/commit/Picket-Action-Id".into(), "act-9".into());
    assert!(refused(&repository, &undo(&scale(5), &strange)).await.contains("stamp"));
    strange = receipt;
    strange.resource_version_after = "0".repeat(40);
    assert!(refused(&repository, &undo(&scale(5), &strange)).await.contains("not on the branch"));
}

#[tokio::test]
async fn a_quarantine_is_listed_where_the_manifest_is() {
    let (repository, quarantine) = (Repository::new(), work(Remediation::Quarantine));
    let receipt = done(&repository, "act-1", 7, &quarantine).await;
    let policy = repository.show("clusters/east/shop/picket-quarantine-cart.yaml").unwrap();
    assert!(policy.starts_with("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n"), "{policy}");
    assert!(policy.contains("    matchLabels:\n      app: cart\n") && policy.contains("port: 53"), "{policy}");
    let kustomization = "clusters/east/shop/kustomization.yaml";
    assert_eq!(
        repository.show(kustomization).unwrap(),
        "# what is delivered\nresources:\n- cart.yaml\n- volume.yaml\n- picket-quarantine-cart.yaml\n"
    );
    done(&repository, "act-2", 8, &undo(&quarantine, &receipt)).await;
    assert!(repository.show("clusters/east/shop/picket-quarantine-cart.yaml").unwrap().contains("picket.dev/quarantine: lifted"));
    done(&repository, "act-3", 9, &quarantine).await;
    assert_eq!(repository.show("clusters/east/shop/picket-quarantine-cart.yaml").unwrap(), policy);
    assert_eq!(repository.show(kustomization).unwrap().matches("quarantine").count(), 1);
    assert_eq!(repository.ask(&["diff", "--stat", "main~3..main", "--", CART]), "", "the manifest is not touched");
}

#[tokio::test]
async fn what_cannot_be_done_in_git_is_refused_with_its_reason() {
    let folder = |file: &str| format!("clusters/east/shop/{file}");
    let cases: Vec<(&str, String, String, Work)> = vec![
        ("no manifest below", folder("x.yaml"), String::new(), work_on("pay", Remediation::RolloutRestart)),
        ("2 manifests are of it", folder("twin.yaml"), cart(2, 3), scale(5)),
        (
            "sets the replicas",
            folder("over/kustomization.yaml"),
            "resources: [../x]\nreplicas: [{name: cart, count: 3}]\n".into(),
            scale(5),
        ),
        (
            "patches cart",
            folder("over/kustomization.yaml"),
            "patches:\n- path: p.yaml\n  target: {kind: Deployment, name: cart}\n".into(),
            scale(5),
        ),
        ("patches cart", folder("over/kustomization.yaml"), "patches:\n- patch: x\n  target: {labelSelector: a=b}\n".into(), scale(5)),
        ("changes names", folder("over/kustomization.yaml"), "namePrefix: x-\n".into(), scale(5)),
        (
            "sets images",
            folder("over/kustomization.yaml"),
            "images: [{name: a, newTag: b}]\n".into(),
            work(Remediation::Rollback { to_revision: 1 }),
        ),
        ("namespace other", folder("kustomization.yaml"), "namespace: other\nresources: [cart.yaml]\n".into(), scale(5)),
        ("Helm chart", folder("Chart.yaml"), "name: shop\n".into(), scale(5)),
        (
            "cannot be read",
            folder("templates/cart.yaml"),
            "kind: Deployment\nmetadata: {name: cart}\nspec:\n  x: {{ .Values.x }}\n  {{- y }}\n".into(),
            scale(5),
        ),
        ("its replicas are", CART.into(), cart(2, 3).replace("replicas: 3", "replicas: \"{{ .Values.n }}\""), scale(5)),
        ("anchor", CART.into(), cart(2, 3).replace("replicas: 3", "replicas: &n 3"), scale(5)),
        (
            "picket.dev/managed",
            CART.into(),
            cart(2, 3).replace("  namespace: shop", "  namespace: shop\n  labels: {picket.dev/managed: \"false\"}"),
            scale(5),
        ),
        (
            "it is so already",
            folder("x.yaml"),
            String::new(),
            work(Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 512 << 20 }),
        ),
        ("has 3 replicas, not 2", folder("x.yaml"), String::new(), work(Remediation::Scale { replicas: 3, from: 2 })),
        (
            "no container",
            folder("x.yaml"),
            String::new(),
            work(Remediation::SetMemoryLimit { container: "nobody".into(), limit_bytes: 1 << 30 }),
        ),
        (
            "asks for \"10Gi\" already",
            folder("x.yaml"),
            String::new(),
            work(Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 5 << 30 }),
        ),
        ("asked of the cluster", folder("x.yaml"), String::new(), work(Remediation::RenewCertificate { secret: "cart-tls".into() })),
        (
            "not picket's",
            folder("picket-quarantine-cart.yaml"),
            "kind: NetworkPolicy\nmetadata: {name: picket-quarantine-cart}\nspec: {podSelector: {}}\n".into(),
            work(Remediation::Quarantine),
        ),
        ("no name of Kubernetes", folder("x.yaml"), String::new(), work_on("--all\ncart", Remediation::RolloutRestart)),
    ];
    for (words, path, text, work) in cases {
        let repository = Repository::new();
        repository.commit("by hand", &[(&path, &text)]);
        let head = repository.head();
        let why = refused(&repository, &work).await;
        assert!(why.contains(words), "{words}: {why}");
        assert_eq!(repository.head(), head);
    }
}

#[tokio::test]
async fn a_rollback_needs_a_history() {
    let repository = Repository::new();
    repository.commit("moved", &[("clusters/east/shop/pay.yaml", &cart(1, 3).replace("name: cart", "name: pay"))]);
    let why = refused(&repository, &work_on("pay", Remediation::Rollback { to_revision: 1 })).await;
    assert!(why.contains("no other pod template"), "{why}");
    done(&repository, "act-1", 7, &work(Remediation::Rollback { to_revision: 1 })).await;
    let why = refused(&repository, &work(Remediation::Rollback { to_revision: 1 })).await;
    assert!(why.contains("rolled back already"), "not forth again: {why}");
}

#[tokio::test]
async fn a_namespace_without_an_entry_is_not_touched() {
    let repository = Repository::new();
    let service = picket_core::ids::ServiceId::new("west", "shop", "cart");
    let elsewhere = Work::Do { action: picket_core::action::Action { service: service.clone(), remediation: Remediation::RolloutRestart } };
    assert!(refused(&repository, &elsewhere).await.contains("no entry"));
    assert!(!repository.executor().serves(&service) && repository.executor().serves(&scale(5).action().service));
}
