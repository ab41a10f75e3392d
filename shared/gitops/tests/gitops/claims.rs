//! One claim, one effect, whatever dies, races or lies.

use crate::repository::{CART, NOW, Repository, cart, scale, work};
use picket_core::action::Remediation;
use picket_core::ports::{PortError, Proof, RemediationExecutor as _};
use picket_core::scope::FencingToken;
use picket_executor_conformance::claimed;
use picket_gitops::GitOpsError;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn of_two_that_push_at_once_exactly_one_wins() {
    for _ in 0..5 {
        let repository = Repository::new();
        let executors = [repository.executor_with(&repository.settings(), "a"), repository.executor_with(&repository.settings(), "b")];
        let works = [scale(5), work(Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 })];
        let befores = [executors[0].prepare(&works[0]).await.unwrap(), executors[1].prepare(&works[1]).await.unwrap()];
        let claims = [claimed("act-1", &works[0], 7), claimed("act-2", &works[1], 8)];
        let (first, second) =
            tokio::join!(executors[0].execute(&claims[0], &befores[0], NOW), executors[1].execute(&claims[1], &befores[1], NOW));
        let won = [first.is_ok(), second.is_ok()];
        assert!(won[0] != won[1], "{first:?} {second:?}");
        assert!([first, second].iter().any(|answer| matches!(answer, Err(PortError::Conflict { .. }))));
        for ((executor, (work, before)), (entry, token)) in
            executors.iter().zip(works.iter().zip(&befores)).zip([("act-1", 7), ("act-2", 8)]).rev()
        {
            let proof = executor.prove(&entry.into(), FencingToken(token), work, before, NOW).await.unwrap();
            let landed = won[usize::from(entry == "act-2")];
            assert!(if landed { matches!(proof, Proof::Effect(_)) } else { proof == Proof::Absence }, "{entry}: {proof:?}");
        }
        assert_eq!(repository.commits(&[CART]), 3);
    }
}

#[tokio::test]
async fn whenever_it_dies_there_is_one_effect_or_none_and_the_proof_says_which() {
    let (mut landed, mut lost) = (0, 0);
    for step in 0..24_u64 {
        let repository = Repository::new();
        let before = repository.executor().prepare(&scale(5)).await.unwrap();
        let claim = claimed("act-1", &scale(5), 7);
        let executor = repository.executor();
        // Dropped wherever it waits then; git's processes die with it.
        let answer = tokio::time::timeout(Duration::from_millis(step * 4), executor.execute(&claim, &before, NOW)).await;
        drop(executor);
        let proof = repository.executor().prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
        match &proof {
            Proof::Effect(receipt) => {
                assert_eq!(repository.show(CART).unwrap(), cart(2, 5));
                if let Ok(answer) = answer {
                    assert_eq!(*receipt, answer.unwrap());
                }
                landed += 1;
            }
            Proof::Absence => {
                assert!(answer.is_err(), "it was answered: {answer:?}");
                assert_eq!(repository.show(CART).unwrap(), cart(2, 3));
                lost += 1;
            }
            Proof::Neither(why) => panic!("{why}"),
        }
        let stands = (repository.show(CART), repository.commits(&[CART]));
        drop(repository.executor().execute(&claim, &before, NOW).await);
        assert_eq!((repository.show(CART), repository.commits(&[CART])), stands, "nothing lands after the proof, and nothing twice");
        assert_eq!(repository.executor().prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap(), proof);
    }
    assert!(lost > 0 && landed + lost == 24, "{landed} landed, {lost} did not");
}

#[tokio::test]
async fn a_fresh_copy_carries_out_what_another_had_read() {
    let repository = Repository::new();
    let before = repository.executor().prepare(&scale(5)).await.unwrap();
    let elsewhere = repository.executor_with(&repository.settings(), "elsewhere");
    let receipt = elsewhere.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    let again = repository.executor().execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert_eq!(again, receipt, "the same commit, bit for bit, is there already");
}

#[tokio::test]
async fn an_effect_is_found_under_later_commits() {
    let repository = Repository::new();
    let executor = repository.executor();
    let before = executor.prepare(&scale(5)).await.unwrap();
    let receipt = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    repository.commit("by hand", &[(CART, &cart(3, 9))]);
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Effect(receipt));
}

#[tokio::test]
async fn a_rewritten_history_proves_nothing() {
    let repository = Repository::new();
    let executor = repository.executor();
    let before = executor.prepare(&scale(5)).await.unwrap();
    repository.rewrite();
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert!(matches!(&proof, Proof::Neither(why) if why.contains("rewritten")), "{proof:?}");
    let late = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "{late:?}");
    repository.ask(&["update-ref", "-d", "refs/heads/main"]);
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert!(matches!(&proof, Proof::Neither(why) if why.contains("does not exist")), "{proof:?}");
}

#[tokio::test]
async fn a_forged_stamp_is_no_effect_and_a_forged_fence_no_fence() {
    let repository = Repository::new();
    let executor = repository.executor();
    let before = executor.prepare(&scale(5)).await.unwrap();
    let forged = "picket: scale\n\nPicket-Action-Id: act-1\nPicket-Act: scale\nPicket-Fencing-Token: ns:east/shop 99\n";
    repository.commit(forged, &[(CART, &cart(2, 5))]);
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert!(matches!(&proof, Proof::Neither(why) if why.contains("bears the entry")), "{proof:?}");
    assert_eq!(executor.prepare(&work(Remediation::RolloutRestart)).await.unwrap().token, None);
}

#[tokio::test]
async fn fences_stand_per_namespace_and_survive_a_restart() {
    let repository = Repository::new();
    let mut settings = repository.settings();
    settings.entries[0].namespaces.push("pay".into());
    let executor = repository.executor_with(&settings, "state");
    executor.fence_all(FencingToken(9)).await.unwrap();
    let message = repository.message("main");
    assert!(
        message.contains("Picket-Fencing-Token: ns:east/shop 9") && message.contains("Picket-Fencing-Token: ns:east/pay 9"),
        "{message}"
    );
    let fenced = repository.head();
    executor.fence(&scale(5), FencingToken(8)).await.unwrap();
    drop(executor);
    let executor = repository.executor_with(&settings, "another");
    executor.fence_all(FencingToken(9)).await.unwrap();
    assert_eq!(repository.head(), fenced, "what stands is not raised again");
    assert_eq!(repository.ask(&["diff", "--stat", "main~1", "main"]), "", "a fence changes no file");
    executor.fence(&scale(5), FencingToken(12)).await.unwrap();
    assert_eq!(executor.prepare(&scale(5)).await.unwrap().token, Some(FencingToken(12)));
}

#[tokio::test]
async fn a_branch_that_the_server_protects_refuses_and_says_why() {
    let repository = Repository::new();
    let before = repository.executor().prepare(&scale(5)).await.unwrap();
    let hook = repository.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'main is frozen' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let answer = repository.executor().execute(&claimed("act-1", &scale(5), 7), &before, NOW).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("main is frozen")), "{answer:?}");
    // The fence cannot be raised either: the proof has to wait.
    let proof = repository.executor().prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await;
    assert!(matches!(proof, Err(PortError::Unavailable { .. })), "{proof:?}");
    std::fs::remove_file(&hook).unwrap();
    let proof = repository.executor().prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Absence);
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout_and_the_proof_finds_what_landed() {
    let repository = Repository::new();
    let before = repository.executor().prepare(&scale(5)).await.unwrap();
    let hook = repository.bare().join("hooks/post-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    // The branch has moved; the answer never comes.
    std::fs::write(&hook, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut settings = repository.settings();
    settings.git_timeout_s = 2;
    let executor = repository.executor_with(&settings, "state");
    let answer = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await;
    assert!(matches!(answer, Err(PortError::Timeout { .. })), "{answer:?}");
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert!(matches!(proof, Proof::Effect(_)), "{proof:?}");
}

#[tokio::test]
async fn a_killed_gits_lock_does_not_stand_in_the_way() {
    let repository = Repository::new();
    repository.executor().prepare(&scale(5)).await.unwrap();
    let mut copies = std::fs::read_dir(repository.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let copy = copies.find(|path| path.is_dir()).unwrap();
    repository.commit("by hand", &[("README.md", "two carts\n")]);
    std::fs::write(copy.join("refs/picket/head.lock"), "").unwrap();
    assert_eq!(repository.executor().prepare(&scale(5)).await.unwrap().resource_version, repository.head());
}

#[tokio::test]
async fn one_process_has_the_folder_and_bad_settings_open_nothing() {
    let repository = Repository::new();
    let _held = repository.executor();
    let good = repository.settings();
    let open = |settings: &picket_gitops::GitOpsSettings| {
        picket_gitops::GitOpsExecutor::open(settings, &"east".into(), &repository.path().join("state"), Arc::new(|| NOW))
    };
    assert!(matches!(open(&good), Err(GitOpsError::Taken(_))));
    let mut settings = repository.settings();
    settings.entries[0].branch = "..".into();
    assert!(matches!(open(&settings), Err(GitOpsError::Settings(problem)) if problem.key == "entries[0].branch"));
}

#[tokio::test]
async fn signatures_decide_whose_trailers_count_where_that_is_asked_for() {
    let repository = Repository::new();
    let key = repository.path().join("picket.key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "picket", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(key.with_extension("key.pub")).unwrap();
    let signers = repository.path().join("signers");
    std::fs::write(&signers, format!("picket@localhost {public}")).unwrap();
    let mut settings = repository.settings();
    settings.signing_key_file = key.display().to_string();
    settings.allowed_signers_file = signers.display().to_string();
    let executor = repository.executor_with(&settings, "state");
    let before = executor.prepare(&scale(5)).await.unwrap();
    let receipt = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert!(repository.ask(&["cat-file", "commit", "main"]).contains("BEGIN SSH SIGNATURE"));
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Effect(receipt));
    drop(executor);
    // The same address without the key: believed by whoever asks for no signature, and by nobody else.
    repository.executor_with(&repository.settings(), "unsigned").fence(&scale(5), FencingToken(40)).await.unwrap();
    let restart = work(Remediation::RolloutRestart);
    assert_eq!(repository.executor_with(&settings, "state").prepare(&restart).await.unwrap().token, Some(FencingToken(7)));
    assert_eq!(repository.executor_with(&repository.settings(), "unsigned").prepare(&restart).await.unwrap().token, Some(FencingToken(40)));
}
