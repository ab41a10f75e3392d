//! Compression: what is left of the passages that a search found, and whether the right one can still be told from the others.

use crate::retrieval::Question;
use picket_core::knowledge::Passage;
use picket_core::ports::PortResult;
use picket_diagnosis::Retriever;
use picket_diagnosis::bm25::Bm25;
use picket_diagnosis::compress::compress_passages;
use serde::Serialize;

/// Passages that a question gets, as in the default configuration.
const TOP_K: usize = 5;

/// What came out. Shares are 0..1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ShorteningReport {
    /// The budget for all passages of a question together.
    pub target_tokens: usize,
    /// Questions with a right passage among those that were found: the others are left out of all that follows.
    pub questions: usize,
    /// Of these, with passages longer than the budget.
    pub shortened: usize,
    /// Tokens left of all tokens.
    pub ratio: f64,
    /// Most tokens that a question was left with.
    pub tokens_max: usize,
    /// Questions whose right passage, by its text alone, matches best among the whole passages (BM25).
    pub right_before: f64,
    /// The same among the shortened ones.
    pub right_after: f64,
    /// Of the lines of code in the right passages, those that are left word for word.
    pub commands_kept: f64,
    /// Of the figures in the right passages, those that are left.
    pub figures_kept: f64,
}

fn is_right(passages: &[Passage], question: &Question) -> bool {
    let scores = Bm25::new(passages.iter().map(|p| p.text.as_str())).scores(&question.query);
    // The first of equal ones: the search's order stands.
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
    best.is_some_and(|best| question.relevant.contains(&passages[best].document))
}

fn commands(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code && !line.is_empty() {
            found.push(line);
        }
    }
    found
}

fn figures(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '`' | '"'));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect()
}

/// Counts of those kept, and of all.
fn kept<'a>(whole: &'a str, left: &'a str, of: impl Fn(&'a str) -> Vec<&'a str>) -> (usize, usize) {
    let (whole, left) = (of(whole), of(left));
    (whole.iter().filter(|one| left.contains(one)).count(), whole.len())
}

/// Searches, shortens and compares. `count` counts tokens.
///
/// # Errors
/// When the retriever's embedder fails.
pub fn shortening(
    retriever: &Retriever,
    questions: &[Question],
    target_tokens: usize,
    count: &dyn Fn(&str) -> usize,
) -> PortResult<ShorteningReport> {
    let mut report = ShorteningReport { target_tokens, ..ShorteningReport::default() };
    let (mut before, mut after, mut right) = (0, 0, (0, 0));
    let (mut lines, mut numbers) = ((0, 0), (0, 0));
    for question in questions {
        let whole = retriever.search(&question.query, TOP_K)?;
        if !whole.iter().any(|p| question.relevant.contains(&p.document)) {
            continue;
        }
        let mut left = whole.clone();
        let ratio = compress_passages(&question.query, &mut left, target_tokens, count);
        let tokens = |passages: &[Passage]| passages.iter().filter(|p| !p.text.is_empty()).map(|p| count(&p.text)).sum::<usize>();
        report.questions += 1;
        report.shortened += usize::from(ratio < 1.0);
        report.tokens_max = report.tokens_max.max(tokens(&left));
        (before, after) = (before + tokens(&whole), after + tokens(&left));
        right = (right.0 + usize::from(is_right(&whole, question)), right.1 + usize::from(is_right(&left, question)));
        for (whole, left) in whole.iter().zip(&left).filter(|(p, _)| question.relevant.contains(&p.document)) {
            let (code, digits) = (kept(&whole.text, &left.text, commands), kept(&whole.text, &left.text, figures));
            lines = (lines.0 + code.0, lines.1 + code.1);
            numbers = (numbers.0 + digits.0, numbers.1 + digits.1);
        }
    }
    let share = |part: usize, all: usize| if all == 0 { 1.0 } else { part as f64 / all as f64 };
    Ok(ShorteningReport {
        ratio: share(after, before),
        right_before: share(right.0, report.questions),
        right_after: share(right.1, report.questions),
        commands_kept: share(lines.0, lines.1),
        figures_kept: share(numbers.0, numbers.1),
        ..report
    })
}
