//! Which units are kept: by worth, as long as they fit.

use super::unit::{Kind, Unit, units};
use crate::bm25::Bm25;
use crate::literal::{is_identifier, is_number, words};
use std::collections::BTreeSet;

// All in units of the best match's relevance, which is 1. Rank and command are the best of seven pairs that were tried on the public
// runbooks (docs/evaluation.md): they keep most commands at no loss of what tells the right runbook.

/// What a text's rank adds to its units, divided by the rank: the search knows more than the words of one sentence do.
const RANK: f64 = 1.0;
/// What opening its text adds: there it says what it is about.
const OPENING: f64 = 0.1;
/// What a command adds: an operator can act on it, and nobody can guess it.
const COMMAND: f64 = 1.2;
/// What a number or an identifier adds.
const LITERAL: f64 = 0.3;
/// Share of its neighbour's relevance that a unit has by standing under that heading, or behind that sentence.
const CONTEXT: f64 = 0.5;
/// Share of a code block's worth that the line has which introduces it ("Run:").
const INTRODUCTION: f64 = 0.9;

/// A unit of one of the texts.
struct Candidate<'a> {
    text: usize,
    unit: Unit,
    words: &'a str,
    worth: f64,
}

/// Chooses; gives one text per text.
pub(super) fn choose(query: &str, texts: &[&str], budget: usize, tokens: &dyn Fn(&str) -> usize) -> Vec<String> {
    let mut candidates: Vec<_> = texts
        .iter()
        .enumerate()
        .flat_map(|(text, words)| {
            let of = move |unit: Unit| Candidate { text, words: &words[unit.range.clone()], unit, worth: 0.0 };
            units(words).into_iter().map(of)
        })
        .collect();
    weigh(query, &mut candidates);
    let mut order: Vec<_> = (0..candidates.len()).collect();
    order.sort_by(|a, b| candidates[*b].worth.total_cmp(&candidates[*a].worth).then(a.cmp(b)));
    let (mut kept, mut left) = (Vec::new(), budget);
    for index in order {
        let needed = tokens(candidates[index].words);
        if needed <= left {
            left -= needed;
            kept.push(index);
        }
    }
    // A tokenizer's counts need not add up: what was taken last goes until the whole fits.
    loop {
        let chosen: BTreeSet<_> = kept.iter().copied().collect();
        let joined: Vec<_> = (0..texts.len()).map(|text| join(texts[text], text, &candidates, &chosen)).collect();
        if kept.is_empty() || joined.iter().map(|text| tokens(text)).sum::<usize>() <= budget {
            return joined;
        }
        kept.pop();
    }
}

fn weigh(query: &str, candidates: &mut [Candidate<'_>]) {
    let mut relevance = Bm25::new(candidates.iter().map(|c| c.words)).scores(query);
    let most = relevance.iter().copied().fold(0.0, f64::max);
    if most > 0.0 {
        relevance.iter_mut().for_each(|r| *r /= most);
    }
    // What the unit stands under or behind: its heading's relevance, and its forerunner's.
    let (mut heading, mut before, mut text) = (0.0, 0.0, usize::MAX);
    for (candidate, own) in candidates.iter_mut().zip(&relevance) {
        let opens = candidate.text != text;
        if opens {
            (heading, before, text) = (0.0, 0.0, candidate.text);
        }
        let near = if candidate.unit.kind == Kind::Heading {
            (heading, before) = (*own, 0.0);
            *own
        } else {
            let context = CONTEXT * f64::max(heading, before);
            before = *own;
            own.max(context)
        };
        let place = RANK / (1 + text) as f64 + if opens { OPENING } else { 0.0 };
        candidate.worth = near + place + literal(candidate.unit.kind, candidate.words);
    }
    for index in 1..candidates.len() {
        let introduces = candidates[index].unit.kind == Kind::Code
            && candidates[index - 1].text == candidates[index].text
            && candidates[index - 1].words.ends_with(':');
        if introduces {
            candidates[index - 1].worth = candidates[index - 1].worth.max(INTRODUCTION * candidates[index].worth);
        }
    }
}

fn literal(kind: Kind, text: &str) -> f64 {
    if kind == Kind::Code || text.contains('`') || text.starts_with("$ ") {
        COMMAND
    } else if kind != Kind::Heading && words(text).any(|word| is_number(word) || is_identifier(word)) {
        LITERAL
    } else {
        0.0
    }
}

/// The chosen units of one text in their order. Neighbours keep what stood between them; a gap becomes the widest break that it held.
fn join(whole: &str, text: usize, candidates: &[Candidate<'_>], chosen: &BTreeSet<usize>) -> String {
    let mut joined = String::new();
    let mut end = None;
    for candidate in chosen.iter().map(|index| &candidates[*index]).filter(|c| c.text == text) {
        if let Some(end) = end {
            let between = &whole[end..candidate.unit.range.start];
            joined.push_str(match between.matches('\n').count() {
                _ if between.trim().is_empty() => between,
                0 => " ",
                1 => "\n",
                _ => "\n\n",
            });
        }
        joined.push_str(candidate.words);
        end = Some(candidate.unit.range.end);
    }
    joined
}
