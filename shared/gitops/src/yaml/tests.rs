//! Edits change one field and no other byte.

use super::*;
use crate::pointer;
use proptest::prelude::*;
use serde_json::{Value, json};

const MANIFEST: &str = "\
# The shop's cart.
apiVersion: v1
kind: Service
metadata: {name: cart}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart   # as everywhere
  labels: {app: cart, tier: \"1\"}
spec:
  replicas: 3  # see the capacity plan

  # one at a time
  strategy:
    rollingUpdate: {}
  template:
    spec:
      containers:
      - name: proxy
        image: proxy:1
        args: [\"--listen\", '0.0.0.0:80']
      - image: 'cart:2'
        name: cart
        command:
        - sh
        - -c
        - |
          echo one
            two

        # what it may use
        resources:
          limits:
            memory: \"512Mi\" # measured
          requests:
            cpu: 250m
        env: []
  # the end
---
kind: ConfigMap
data:
  text: |
    replicas: 3
";

fn read(text: &str, index: usize) -> Value {
    value(parse(text).unwrap()[index].root.as_ref().unwrap()).unwrap()
}

/// Sets it, and checks that nothing else has changed. The edited text.
fn edited(text: &str, index: usize, pointer: &str, to: &Value) -> String {
    let made = set(text, index, pointer, to).unwrap();
    let mut expected = read(text, index);
    pointer::set(&mut expected, pointer, to).unwrap();
    assert_eq!(read(&made, index), expected, "{made}");
    made
}

fn differing(from: &str, to: &str) -> (Vec<String>, Vec<String>) {
    let (old, new): (Vec<_>, Vec<_>) = (from.lines().collect(), to.lines().collect());
    let same_before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same_before;
    let same_after = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let cut = |lines: &[&str]| lines[same_before..lines.len() - same_after].iter().map(|line| (*line).to_owned()).collect();
    (cut(&old), cut(&new))
}

#[test]
fn a_scalar_changes_in_its_own_notation_and_its_comment_stays() {
    let made = edited(MANIFEST, 1, "/spec/replicas", &json!(5));
    assert_eq!(
        differing(MANIFEST, &made),
        (vec!["  replicas: 3  # see the capacity plan".into()], vec!["  replicas: 5  # see the capacity plan".into()])
    );
    let made = edited(MANIFEST, 1, "/spec/template/spec/containers/1/resources/limits/memory", &json!("1Gi"));
    assert_eq!(differing(MANIFEST, &made).1, ["            memory: \"1Gi\" # measured"]);
    let made = edited(MANIFEST, 1, "/spec/template/spec/containers/1/resources/requests/cpu", &json!("2"));
    assert_eq!(differing(MANIFEST, &made).1, ["            cpu: \"2\""], "text that looks like a number is quoted");
    let made = edited(MANIFEST, 1, "/spec/template/spec/containers/1/image", &json!("cart:3"));
    assert_eq!(differing(MANIFEST, &made).1, ["      - image: 'cart:3'"]);
}

#[test]
fn what_is_missing_is_inserted_in_lines_of_its_own() {
    let made = edited(MANIFEST, 1, "/spec/template/spec/containers/1/resources/requests/memory", &json!("1Gi"));
    assert_eq!(differing(MANIFEST, &made), (vec![], vec!["            memory: 1Gi".into()]));
    let made = edited(MANIFEST, 1, "/spec/template/spec/containers/0/resources/limits/memory", &json!("1Gi"));
    assert_eq!(
        differing(MANIFEST, &made),
        (vec![], vec!["        resources:".into(), "          limits:".into(), "            memory: 1Gi".into()])
    );
    let at = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    let made = edited(MANIFEST, 1, at, &json!("2023-11-14T22:13:20Z"));
    let lines = ["    metadata:", "      annotations:", "        kubectl.kubernetes.io/restartedAt: \"2023-11-14T22:13:20Z\""];
    assert_eq!(differing(MANIFEST, &made).1, lines);
    let made = edited(MANIFEST, 1, "/metadata/labels/new", &json!("yes"));
    assert_eq!(differing(MANIFEST, &made).1, ["  labels: {app: cart, tier: \"1\", new: \"yes\"}"]);
    let made = edited(MANIFEST, 1, "/spec/strategy/rollingUpdate/maxSurge", &json!(1));
    assert_eq!(differing(MANIFEST, &made).1, ["    rollingUpdate: {maxSurge: 1}"]);
    let made = edited("spec:\n  a: 1", 0, "/spec/b", &json!(2));
    assert_eq!(made, "spec:\n  a: 1\n  b: 2\n");
    assert_eq!(edited("a: |\n  text\n\n", 0, "/b", &json!(2)), "a: |\n  text\nb: 2\n\n");
    assert_eq!(edited("a: 1\r\nb: 2\r\n", 0, "/c", &json!(3)), "a: 1\r\nb: 2\r\nc: 3\r\n");
}

#[test]
fn what_was_inserted_can_be_removed_again() {
    for pointer in [
        "/spec/template/spec/containers/1/resources/requests/memory",
        "/spec/template/spec/containers/0/resources/limits/memory",
        "/spec/paused",
    ] {
        let made = edited(MANIFEST, 1, pointer, &json!("x"));
        assert_eq!(edited(&made, 1, pointer, &Value::Null), MANIFEST);
    }
}

#[test]
fn what_cannot_be_edited_alone_is_refused() {
    for (text, pointer, word) in [
        ("a: &x 1\nb: *x\n", "/a", "anchor"),
        ("a: &x 1\nb: *x\n", "/b", "no scalar"),
        ("base: &b {x: 1}\na:\n  <<: *b\n", "/a/x", "merge key"),
        ("a: !!str 1\n", "/a", "tag"),
        ("a: \"{{ .Values.replicas }}\"\n", "/a", "template"),
        ("a: one\n  two\n", "/a", "several lines"),
        ("a:\nb: 1\n", "/a", "nothing is written"),
        ("a: [1]\n", "/a/7", "no such item"),
        ("a: 1\n", "/a/b", "scalar"),
    ] {
        let why = set(text, 0, pointer, &json!("x")).unwrap_err();
        assert!(why.contains(word), "{text:?} {pointer}: {why}");
    }
    assert!(parse("a: {{ .Values.x }}\n").and_then(|d| value(d[0].root.as_ref().unwrap())).is_err());
    assert!(parse("a: 1\na: 2\n").is_err(), "twice the same key");
    assert!(parse(&"[".repeat(10_000)).is_err());
    assert!(parse(&"- ".repeat(10_000)).is_err());
}

#[test]
fn an_entry_is_taken_over_with_its_comments() {
    let old = "kind: D\nspec:\n  template:\n    # first\n    a: 1\n    b: |\n      x\n  z: 1\n";
    let new = "spec:\n    z: 2\n    template:\n        a: 2\nkind: D\n";
    let made = splice(new, 0, "/spec/template", old, 0).unwrap();
    assert_eq!(made, "spec:\n    z: 2\n    template:\n      # first\n      a: 1\n      b: |\n        x\nkind: D\n");
    assert_eq!(read(&made, 0)["spec"]["template"], read(old, 0)["spec"]["template"]);
    assert!(splice("spec: {template: {}}\n", 0, "/spec/template", old, 0).is_err());
}

#[test]
fn a_list_gets_one_more_item() {
    assert_eq!(
        append("resources:\n- a.yaml # x\n\nnamespace: s\n", "resources", "b.yaml").unwrap(),
        "resources:\n- a.yaml # x\n- b.yaml\n\nnamespace: s\n"
    );
    assert_eq!(append("resources:\n  - a.yaml", "resources", "b.yaml").unwrap(), "resources:\n  - a.yaml\n  - b.yaml\n");
    assert_eq!(append("resources: [a.yaml]\n", "resources", "b.yaml").unwrap(), "resources: [a.yaml, b.yaml]\n");
    assert!(append("resources: []\n", "resources", "b.yaml").is_err());
}

#[test]
fn what_is_written_anew_reads_as_it_was_meant() {
    let object =
        json!({"a": {"b": [{"c": 1, "d": [{"e": "x"}, {"e": "no"}]}, {}], "f": {}}, "g": "1e3", "h": "a: b", "i": null, "j": "2020-01-01"});
    assert_eq!(read(&emit(&object), 0), object);
}

/// A manifest in one of many shapes.
fn manifests() -> impl Strategy<Value = String> {
    let note = prop_oneof![Just(""), Just("  # why"), Just(" # a: b")];
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let gap = prop_oneof![Just(""), Just("\n"), Just("  # replicas: 7\n"), Just("\n# left: here\n\n")];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    (0..40u32, note, quote, gap, 1..5usize, any::<bool>(), any::<bool>(), end).prop_map(
        |(replicas, note, quote, gap, indent, dashed, flow, end)| {
            let (i, dash) = (" ".repeat(indent), if dashed { " ".repeat(indent) } else { String::new() });
            let limits = if flow {
                format!("resources: {{limits: {{memory: {quote}{replicas}Mi{quote}}}, requests: {{cpu: 250m}}}}{note}\n")
            } else {
                format!("resources:\n{i}{i}{dash}  {i}limits:{note}\n{i}{i}{dash}  {i}{i}memory: {quote}{replicas}Mi{quote}{note}\n")
            };
            format!(
                "kind: Deployment{note}\nspec:\n{i}replicas: {replicas}{note}\n{gap}{i}template:\n{i}{i}text: |\n{i}{i}{i}replicas: 9\n\n{i}{i}{i}  x\n{gap}{i}{i}containers:\n\
                 {i}{i}{dash}- name: proxy\n{gap}{i}{i}{dash}- name: cart{note}\n{i}{i}{dash}  {limits}{gap}---\nkind: Other\nspec: {{replicas: {replicas}}}\n"
            )
            .replace('\n', end)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exactly_the_field_changes_and_other_lines_stay(text in manifests(), to in 0..100u32, which in 0..4usize) {
        let (pointer, new) = [
            ("/spec/replicas", json!(to)),
            ("/spec/template/containers/1/resources/limits/memory", json!(format!("{to}Gi"))),
            ("/spec/template/containers/0/resources/limits/memory", json!(format!("{to}Gi"))),
            ("/spec/template/metadata/annotations/a.b~1c", json!("2023-11-14T22:13:20Z")),
        ][which].clone();
        let made = edited(&text, 0, pointer, &new);
        prop_assert_eq!(read(&made, 1), read(&text, 1));
        let (old, new) = differing(&text, &made);
        // One line is replaced, or up to three are added.
        prop_assert!(old.len() <= 1 && new.len() <= 3 && (old.is_empty() || new.len() == 1), "{old:?} {new:?}");
        prop_assert_eq!(made.contains("\r\n"), text.contains("\r\n"));
        if text.contains("\r\n") {
            prop_assert_eq!(made.matches('\n').count(), made.matches("\r\n").count());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-c:{}&*!|>\\[\\]\"'#\n \\-~,<]{0,60}", pointer in "(/[a-c0-1]){1,3}") {
        if let Ok(made) = set(&text, 0, &pointer, &json!("x")) {
            prop_assert!(made.len() + 1 >= text.len().saturating_sub(60));
        }
        drop(set(&text, 0, &pointer, &Value::Null));
        drop(append(&text, "a", "b"));
        drop(splice(&text, 0, &pointer, &text, 0));
    }
}
