//! On a small set made by hand, in the format of the public one.

use super::read::scenarios;
use super::{ItBenchError, ItBenchReport, Judged, Outcome, evaluate};
use crate::{Dataset, DatasetError};
use std::path::Path;

/// Below `spec`: the pod that is not ready is the cause, under a second name, and others suffer.
const NOT_READY: &str = r"
kind: GroundTruth
spec:
  alerts:
    - {id: KubePodNotReady, group_id: ad-pod-1}
    - {id: KubeContainerWaiting, group_id: ad-pod-1}
    - {id: HighRequestErrorRate, group_id: frontend-service-1, metadata: {description: it suffers}}
    - {id: HighRequestErrorRate, group_id: frontend-proxy-service}
    - {id: NoDatabaseOperations, group_id: frontend-service-1}
    - {id: KubePodCrashLooping}
  aliases:
    - [ad-service-1, ad-pod-1]
  groups:
    - {id: ad-deployment, kind: Deployment, namespace: otel-demo, filter: ['adservice-.*'], root_cause: true}
    - {id: ad-pod-1, kind: Pod, namespace: otel-demo, filter: ['ad-.*']}
    - {id: ad-service-1, kind: Service, namespace: otel-demo, filter: ['ad\b']}
    - {id: frontend-service-1, kind: Service, namespace: otel-demo, filter: ['frontend\b']}
";

/// Bare: a flag is the cause, and what alerts on an injected fault is no service.
const FLAG: &str = r"
alerts:
  - {id: HighRequestErrorRate, group_id: payment-service-1}
  - {id: HighRequestErrorRate, group_id: chaos}
  - {id: SomethingNew, group_id: payment-service-1}
aliases:
  - [flags, flagged]
  - [flagged, payment-service-1]
groups:
  - {id: flags, kind: ConfigMap, namespace: otel-demo, name: flagd-config, root_cause: true}
  - {id: payment-service-1, kind: Service, namespace: otel-demo, filter: payment\b}
  - {id: chaos, kind: NetworkChaos, namespace: chaos-mesh, filter: ['.*checkout.*']}
";

/// Another application, without an alert that picket knows.
const ELSEWHERE: &str = r"
alerts:
  - {id: HighKafkaConsumerLag, group_id: cart}
groups:
  - {id: cart, kind: Service, namespace: other-shop, filter: ['cart\b'], root_cause: true}
";

fn made(home: &Path) {
    for folder in ["groundtruth", "scenarios", "faults"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    for (name, text) in [("a", NOT_READY), ("b", FLAG), ("c", ELSEWHERE)] {
        std::fs::write(home.join(format!("groundtruth/{name}.yaml")), text).unwrap();
    }
    std::fs::write(home.join("scenarios/a.json"), r#"{"category": "sre", "alerts": []}"#).unwrap();
    std::fs::write(home.join("scenarios/d.json"), r#"{"category": "finops"}"#).unwrap();
    std::fs::write(home.join("faults/1.json"), "read by nobody").unwrap();
}

fn judged(home: &Path) -> Result<ItBenchReport, ItBenchError> {
    evaluate(&Dataset::open(home).unwrap(), |_, _| ())
}

#[test]
fn the_cause_that_shows_is_ranked_and_everything_else_is_counted_apart() {
    let home = tempfile::tempdir().unwrap();
    made(home.path());
    let mut told = Vec::new();
    let report = evaluate(&Dataset::open(home.path()).unwrap(), |done, total| told.push((done, total))).unwrap();
    assert_eq!(told, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    let parts = (report.scenarios, report.cases, report.not_rankable, report.no_alerts, report.no_truth);
    assert_eq!(parts, (4, 1, 1, 1, 1), "{report:?}");
    assert_eq!((report.alerts, report.alerts_unknown, report.alerts_unplaced), (10, 3, 2), "{report:?}");
    assert_eq!((report.top1, report.top3, report.named, report.abstained), (1.0, 1.0, 0, 2), "{report:?}");
    assert!((report.top1_by_chance - 1.0 / 3.0).abs() < 1e-9, "{report:?}");
    let [ad, flag, elsewhere, untold] = report.judged.as_slice() else { panic!("{report:?}") };
    assert_eq!((ad.first.as_deref(), ad.position, ad.ranked, ad.category.as_deref()), (Some("ad"), Some(1), 3, Some("sre")));
    assert_eq!((flag.outcome, &flag.right), (Outcome::NotRankable, &vec!["payment".to_owned()]));
    assert_eq!((elsewhere.outcome, untold.outcome), (Outcome::NoAlerts, Outcome::NoTruth));
    assert_eq!(untold.category.as_deref(), Some("finops"));
    let json = serde_json::to_value(&report).unwrap();
    for key in ["scenarios", "cases", "not_rankable", "no_alerts", "top1", "top3", "named", "abstained", "acts_proposed", "acts_wrong"] {
        assert!(json[key].is_number(), "{key}: {json}");
    }
}

#[test]
fn wrong_names_and_wrong_acts_are_counted_in_every_scenario_that_is_diagnosed() {
    let one = |outcome, position, named: Option<bool>, act: Option<bool>| Judged {
        outcome,
        position,
        named: named.map(|_| "cart".to_owned()),
        named_wrong: named == Some(false),
        act: act.map(|_| "rollout_restart cart".to_owned()),
        act_wrong: act == Some(false),
        ..Judged::default()
    };
    let judged = vec![
        one(Outcome::Case, Some(1), Some(true), Some(true)),
        one(Outcome::Case, Some(3), Some(false), None),
        one(Outcome::Case, None, None, None),
        one(Outcome::NotRankable, Some(1), Some(false), Some(false)),
        one(Outcome::NoAlerts, None, None, None),
    ];
    let mut report = ItBenchReport { judged, ..ItBenchReport::default() };
    report.add_up();
    assert_eq!((report.top1, report.top3), (1.0 / 3.0, 2.0 / 3.0));
    assert_eq!((report.named, report.named_wrong, report.abstained), (3, 2, 1));
    assert_eq!((report.acts_proposed, report.acts_wrong), (2, 1));
}

#[test]
fn a_wrong_file_is_named_with_its_key() {
    let spoil = |file: &str, from: &str, to: &str| {
        let home = tempfile::tempdir().unwrap();
        made(home.path());
        let path = home.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        judged(home.path()).unwrap_err().to_string()
    };
    for (from, to, key) in [
        ("id: ad-deployment, ", "", "spec.groups[0].id"),
        ("namespace: otel-demo, filter: ['adservice-.*']", "namespace: [1], filter: []", "spec.groups[0].namespace"),
        ("['adservice-.*']", "{}", "spec.groups[0].filter"),
        ("['adservice-.*']", "[ok, 7]", "spec.groups[0].filter[1]"),
        ("root_cause: true", "root_cause: often", "spec.groups[0].root_cause"),
        ("{id: KubePodNotReady, group_id: ad-pod-1}", "KubePodNotReady", "spec.alerts[0].id"),
        ("group_id: ad-pod-1}", "group_id: {}}", "spec.alerts[0].group_id"),
        ("[ad-service-1, ad-pod-1]", "[ad-service-1, [ad-pod-1]]", "spec.aliases[0][1]"),
        ("  groups:", "  members:", "spec.groups"),
        ("  groups:", "  groups: {", "line"),
    ] {
        let said = spoil("groundtruth/a.yaml", from, to);
        assert!(said.contains("groundtruth/a.yaml") && said.contains(key) && !said.contains('\n'), "{key}: {said}");
    }
    assert!(spoil("scenarios/a.json", "\"sre\"", "5").contains("scenarios/a.json, line 0: category"));
    assert!(spoil("scenarios/a.json", "}", "").contains("scenarios/a.json, line 1"));
}

#[test]
fn no_input_makes_it_panic_or_grow() {
    let home = tempfile::tempdir().unwrap();
    made(home.path());
    let path = home.path().join("groundtruth/a.yaml");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        judged(home.path()).unwrap_err().to_string()
    };
    assert!(refused(b"\xff\xfe").contains("UTF-8"));
    assert!(refused(&vec![b' '; (1 << 20) + 1]).contains("longer than"));
    assert!(refused(format!("groups: [{}]", "1,".repeat(501)).as_bytes()).contains("more than 500"));
    refused("[".repeat(100_000).as_bytes());
    refused("a: ".repeat(100_000).as_bytes());
    let doubled: String = (1..40).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
    refused(format!("a0: &a0 [x]\n{doubled}").as_bytes());
    for end in (0..NOT_READY.len()).step_by(7) {
        std::fs::write(&path, &NOT_READY[..end]).unwrap();
        drop(scenarios(&Dataset::open(home.path()).unwrap()));
    }
}

#[test]
fn a_set_without_truths_or_with_two_of_one_scenario_is_refused() {
    let home = tempfile::tempdir().unwrap();
    made(home.path());
    std::fs::write(home.path().join("groundtruth/a.yml"), NOT_READY).unwrap();
    assert!(judged(home.path()).unwrap_err().to_string().contains("another truth"));
    std::fs::remove_dir_all(home.path().join("groundtruth")).unwrap();
    let error = judged(home.path()).unwrap_err();
    assert!(matches!(error, ItBenchError::Dataset(DatasetError::Missing { .. })), "{error}");
}
