use super::*;
use crate::embed_hash::HashEmbedder;
use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::knowledge::Document;
use picket_core::ports::{Embedder, Embedding, KnowledgeBase, PortError, PortResult};
use std::collections::BTreeSet;

/// What an operator might type about each cause.
const ASKED: [(&str, Cause); 15] = [
    ("container OOMKilled, working set on a plateau at the memory limit", Cause::MemoryLimitTooLow),
    ("exit code 137 killed for memory", Cause::MemoryLimitTooLow),
    ("memory rises steadily without load and is never given back", Cause::MemoryLeak),
    ("errors right after a rollout of a new revision", Cause::BadDeployment),
    ("pods of the new version wait in CrashLoopBackOff", Cause::CrashLoop),
    ("far more requests per second than usual, CPU at its limit", Cause::LoadSurge),
    ("requests hang, CPU low, connection pool used up", Cause::StuckProcess),
    ("volume nearly full, no space left on device", Cause::DiskFilling),
    ("TLS certificate ends soon", Cause::CertificateExpiring),
    ("waiting for a slow callee that many services call", Cause::SlowDependency),
    ("requests far above use, rightsizing", Cause::OverRequested),
    ("service without traffic costs money", Cause::IdleService),
    ("scaled to zero and called again, callers get errors", Cause::ScaledToZero),
    ("falco shell in a container, intruder", Cause::SuspiciousWorkload),
    ("outbound connection to a mining pool", Cause::SuspiciousWorkload),
];

#[test]
fn every_shipped_document_is_read_and_cut_by_its_headings() {
    let documents = shipped();
    assert!(documents.len() >= 25, "{}", documents.len());
    for document in &documents {
        for heading in ["## Symptoms", "## Diagnosis", "## Remedy", "## Verification", "## Rollback / escalation"] {
            assert!(document.text.contains(heading), "{} has no `{heading}`", document.id);
        }
        for kind in &document.remedies {
            let cause = document.cause.unwrap_or_else(|| panic!("{} has a remedy without a cause", document.id));
            assert!(cause.remedies().contains(kind), "{}: {kind} is no remedy for {cause}", document.id);
        }
        assert_eq!(ready(KnowledgeBase::document(&**SHELF, &document.id)).unwrap().as_ref(), Some(document));
    }
    assert!(documents.iter().filter(|d| d.cause.is_none() && d.text.contains("page a human")).count() >= 4);
    assert_eq!(ready(KnowledgeBase::document(&**SHELF, &"nothing".into())).unwrap(), None);
}

#[test]
fn every_cause_and_every_remedy_has_a_runbook() {
    let documents = shipped();
    for cause in Cause::ALL {
        assert!(documents.iter().any(|d| d.cause == Some(cause)), "nothing is written about {cause}");
        for remedy in cause.remedies() {
            assert!(
                documents.iter().any(|d| d.cause == Some(cause) && d.remedies.contains(remedy)),
                "no runbook supports {remedy} for {cause}"
            );
        }
    }
    for kind in RemediationKind::ALL {
        assert!(documents.iter().any(|d| d.remedies.contains(&kind)), "no runbook supports {kind}");
    }
}

#[test]
fn the_folder_and_the_shelf_agree() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../knowledge");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    files.sort();
    let mut shelf: Vec<_> = shipped().into_iter().map(|d| d.id.0).collect();
    shelf.sort();
    assert_eq!(files, shelf, "a document in knowledge/ is missing on the shelf in library.rs, or the other way round");
}

#[test]
fn the_right_runbook_is_found_for_every_cause() {
    let hashed = Retriever::new(shipped(), Some(Arc::new(HashEmbedder))).unwrap();
    for retriever in [&**SHELF, &hashed] {
        for (query, cause) in ASKED {
            let found = retriever.search(query, 3).unwrap();
            assert_eq!(found[0].cause, Some(cause), "{query}: {:?}", found.iter().map(|p| (&p.document, &p.heading)).collect::<Vec<_>>());
            assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "best first");
            let documents: BTreeSet<_> = retriever.search(query, 5).unwrap().into_iter().map(|p| p.document).collect();
            assert!(documents.len() >= 3, "{query}: one document does not hide the others: {documents:?}");
        }
    }
    let through_the_port = ready(KnowledgeBase::search(&**SHELF, "TLS certificate ends soon", 2)).unwrap();
    assert_eq!(through_the_port, SHELF.search("TLS certificate ends soon", 2).unwrap());
}

#[test]
fn bounds_of_a_search() {
    assert!(SHELF.search("  ", 3).unwrap().is_empty());
    assert!(SHELF.search("memory", 0).unwrap().is_empty());
    assert_eq!(SHELF.search(&"memory ".repeat(100_000), 3).unwrap().len(), 3);
    assert!(Retriever::new(Vec::new(), None).unwrap().search("memory", 3).unwrap().is_empty());
    let twice = Document { id: "a".into(), title: "A".into(), cause: None, remedies: Vec::new(), text: "text".into() };
    assert!(
        matches!(Retriever::new(vec![twice.clone(), twice], None), Err(PortError::Refused { why, .. }) if why.contains("two documents"))
    );
}

/// Fails after the corpus has been embedded.
struct Failing;

impl Embedder for Failing {
    fn embed_tokens(&self, texts: &[String]) -> PortResult<Vec<Embedding>> {
        if texts.len() == 1 {
            return Err(PortError::Unavailable { what: "embedder".into(), why: "gone".into() });
        }
        HashEmbedder.embed_tokens(texts)
    }

    fn dimension(&self) -> usize {
        HashEmbedder::DIMENSION
    }
}

#[test]
fn an_embedder_that_fails_is_said_and_not_replaced() {
    let retriever = Retriever::new(shipped(), Some(Arc::new(Failing))).unwrap();
    assert!(matches!(retriever.search("memory", 3), Err(PortError::Unavailable { .. })));
}

/// The words of everything that shows at once must not drown the cause's own.
#[test]
fn a_remedy_finds_its_runbook_however_much_shows() {
    use Symptom as S;
    let more = [S::LatencyHigh, S::ErrorLogsHigh, S::CpuHigh, S::TrafficHigh, S::ConnectionsSaturated, S::DependencyErrorsHigh];
    let mut named = 0;
    for chosen in 0..1_u32 << more.len() {
        let mut scene = super::structure::scene();
        for (place, symptom) in more.iter().enumerate().filter(|(place, _)| chosen & (1 << place) != 0) {
            scene = scene.shows("pricing", *symptom, 61 + place as i64);
        }
        match scene.diagnose().verdict {
            Verdict::Abstained { why: Abstention::Contradicted { why } } => assert!(!why.contains("runbook"), "{chosen:b}: {why}"),
            Verdict::Cause { cause: Cause::BadDeployment, action, .. } => {
                assert!(action.is_some(), "{chosen:b}");
                named += 1;
            }
            _ => {}
        }
    }
    assert!(named > 16, "{named}");
}

#[test]
fn experience_is_told_and_what_failed_twice_is_left_to_a_person() {
    use picket_core::post_mortem::PostMortem;
    let mut scene = super::causes::memory_limit();
    let plain = scene.diagnose();
    let Verdict::Cause { cause, service, action: Some(action) } = plain.verdict.clone() else { panic!("{}", plain.sentence) };
    let mut with = |recovered: bool, failures_in_a_row: u32, age_ms: i64| {
        let one = PostMortem {
            service: service.clone(),
            cause,
            remedy: action.kind(),
            incident: "inc-7".into(),
            at: scene.context.now.plus_ms(-age_ms),
            recovered,
            outcome: "killed again after 90 s".into(),
            times: 3,
            failures_in_a_row,
        };
        scene.context.post_mortems = Arc::new(vec![one]);
        scene.diagnose()
    };
    let helped = with(true, 0, 3_600_000);
    assert_eq!(helped.verdict, plain.verdict);
    assert!(
        helped.evidence.iter().any(|e| e.text.starts_with("post-mortem of inc-7") && e.text.contains("helped")),
        "{:#?}",
        helped.evidence
    );
    assert_eq!(with(false, 1, 3_600_000).verdict, plain.verdict, "once is no rule");
    let barred = with(false, 2, 3_600_000);
    let Verdict::Abstained { why: Abstention::Contradicted { why } } = barred.verdict else { panic!("{}", barred.sentence) };
    assert!(why.contains("did not help") && why.contains("inc-7"), "{why}");
    assert_eq!(with(false, 2, 2 * 86_400_000).verdict, plain.verdict, "that was two days ago");
}
