use super::unit::{Kind, units};
use super::*;
use crate::literal::{is_number, words};
use proptest::prelude::*;

const RUNBOOK: &str = "# Volume fills up

## Meaning

A volume has less than 10% of its space left. Writes will fail soon, e.g. those of a database.

## Diagnosis

See which claim it is:

```shell
$ kubectl get pvc -n shop

$ kubectl exec -n shop db-0 -- df -h /data
```

The team has a channel for questions. Everybody is welcome there.

## Mitigation

1. Delete old snapshots
   and write-ahead logs.
2. Grow the claim with `kubectl patch pvc data-db-0` to 20Gi.

| size | price |
| 20Gi | $4 |
";

fn kinds(text: &str) -> Vec<(Kind, &str)> {
    units(text).into_iter().map(|unit| (unit.kind, &text[unit.range])).collect()
}

#[test]
fn markdown_is_cut_into_what_belongs_together() {
    let found = kinds(RUNBOOK);
    let expected = [
        (Kind::Heading, "# Volume fills up"),
        (Kind::Heading, "## Meaning"),
        (Kind::Sentence, "A volume has less than 10% of its space left."),
        (Kind::Sentence, "Writes will fail soon, e.g. those of a database."),
        (Kind::Heading, "## Diagnosis"),
        (Kind::Sentence, "See which claim it is:"),
        (Kind::Code, "```shell\n$ kubectl get pvc -n shop\n\n$ kubectl exec -n shop db-0 -- df -h /data\n```"),
        (Kind::Sentence, "The team has a channel for questions."),
        (Kind::Sentence, "Everybody is welcome there."),
        (Kind::Heading, "## Mitigation"),
        (Kind::Line, "1. Delete old snapshots\n   and write-ahead logs."),
        (Kind::Line, "2. Grow the claim with `kubectl patch pvc data-db-0` to 20Gi."),
        (Kind::Line, "| size | price |"),
        (Kind::Line, "| 20Gi | $4 |"),
    ];
    assert_eq!(found, expected);
    assert_eq!(kinds("Run this:\n\n    oc get nodes\n\n    oc adm top\nThen wait.")[1], (Kind::Code, "    oc get nodes\n\n    oc adm top"));
    assert_eq!(kinds("```\nnever closed. And more")[0], (Kind::Code, "```\nnever closed. And more"));
    assert_eq!(kinds("Use `a. B` here. It is v1.2 of i.e. Kube.").len(), 2);
}

#[test]
fn what_fits_is_left_as_it_is() {
    let whole = compress("volume", &[RUNBOOK, ""], 10_000, &rough_tokens);
    assert_eq!((whole.texts, whole.tokens_after), (vec![RUNBOOK.to_owned(), String::new()], whole.tokens_before));
    assert!((compress("q", &[], 5, &rough_tokens).ratio() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_the_query_asks_for_stays_with_its_command_and_chatter_goes() {
    let asked = compress("which claim of the volume is it", &[RUNBOOK], 85, &rough_tokens);
    let text = &asked.texts[0];
    assert!(asked.tokens_after <= 85 && asked.ratio() < 0.6, "{asked:?}");
    assert!(text.contains("See which claim it is:\n\n```shell\n$ kubectl get pvc -n shop\n\n$ kubectl exec"), "{text}");
    assert!(text.contains("less than 10% of its space") && !text.contains("channel") && !text.contains("welcome"), "{text}");
    let asked = compress("how to grow a claim", &[RUNBOOK], 30, &rough_tokens);
    assert!(asked.texts[0].contains("2. Grow the claim with `kubectl patch pvc data-db-0` to 20Gi."), "{asked:?}");
}

#[test]
fn a_code_block_that_does_not_fit_is_left_out_whole() {
    for budget in 0..60 {
        let kept = compress("kubectl get pvc", &[RUNBOOK], budget, &rough_tokens);
        assert!(kept.tokens_after <= budget);
        assert_eq!(kept.texts[0].contains("kubectl get pvc"), kept.texts[0].contains("df -h /data\n```"), "{kept:?}");
    }
}

#[test]
fn passages_share_one_budget_and_the_better_ranked_one_comes_first_among_equals() {
    let text = "The queue is long. Nobody reads it.";
    let kept = compress("queue", &[text, text, text], 6, &rough_tokens);
    assert_eq!(kept.texts, ["The queue is long.", "", ""]);
}

#[test]
fn a_passage_loses_words_and_nothing_else() {
    let passage = Passage {
        document: "disk".into(),
        title: "Volume fills up".to_owned(),
        heading: "Meaning".to_owned(),
        text: RUNBOOK.to_owned(),
        score: 2.0,
        cause: Some(picket_core::cause::Cause::DiskFilling),
        remedies: vec![picket_core::action::RemediationKind::ExpandVolume],
    };
    let mut passages = [passage.clone()];
    let ratio = Compressor { target_tokens: 40, count: Arc::new(rough_tokens) }.shorten("snapshots", &mut passages);
    assert!(ratio > 0.0 && ratio < 0.4 && rough_tokens(&passages[0].text) <= 40, "{ratio}");
    assert_eq!(Passage { text: RUNBOOK.to_owned(), ..passages[0].clone() }, passage);
}

#[test]
fn llmlingua_is_said_not_to_be_it() {
    assert!(note(Compression::Llmlingua).unwrap().contains("not used"));
    assert_eq!((note(Compression::None), note(Compression::Extractive)), (None, None));
}

/// A tokenizer whose counts do not add up: every text costs two tokens more.
fn with_ends(text: &str) -> usize {
    rough_tokens(text) + 2
}

fn markdown() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Z][a-z]{1,8}( [a-z]{1,8}| [0-9]{1,3}%| `[a-z]{1,5} -[a-z]`){0,6}[.!?] ",
        "\n\n## [A-Z][a-z]{1,8}\n\n",
        "\n\n```\n[a-z ]{1,20}\n\n[a-z -]{1,20}\n```\n",
        "\n- [a-z]{1,8}( [a-z0-9]{1,8}){0,5}\n",
        "\n\n    [a-z]{1,8} [a-z]{1,8}\n",
        "[ \\n#`|.~*0-9a-zé🦀-]{0,12}",
    ];
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn within_budget_verbatim_in_order_and_the_same_twice(
        texts in prop::collection::vec(markdown(), 0..4),
        query in "[a-z]{0,6}( [a-z0-9]{1,6}){0,4}",
        budget in 0..120_usize,
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for count in [rough_tokens, with_ends] {
            let kept = compress(&query, &texts, budget, &count);
            prop_assert!(kept.tokens_after <= budget && kept.ratio() <= 1.0);
            prop_assert_eq!(&compress(&query, &texts, budget, &count), &kept);
            prop_assert_eq!(kept.texts.len(), texts.len());
            for (kept, whole) in kept.texts.iter().zip(&texts) {
                // Its units are units of the whole, letter for letter and in the same order: numbers and commands among them.
                let mut left = whole.chars().filter(|c| !c.is_whitespace());
                prop_assert!(kept.chars().filter(|c| !c.is_whitespace()).all(|c| left.any(|l| l == c)), "{:?} of {:?}", kept, whole);
                let numbers: Vec<_> = words(whole).filter(|w| is_number(w)).collect();
                prop_assert!(words(kept).filter(|w| is_number(w)).all(|n| numbers.contains(&n)), "{:?} of {:?}", kept, whole);
            }
        }
    }

    #[test]
    fn units_leave_out_nothing_but_white_space(text in markdown()) {
        let mut end = 0;
        for unit in units(&text) {
            prop_assert!(unit.range.start >= end && text[end..unit.range.start].trim().is_empty(), "{:?} in {:?}", unit, text);
            end = unit.range.end;
        }
        prop_assert!(text[end..].trim().is_empty());
    }
}
