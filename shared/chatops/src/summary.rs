//! What is said about an entry, before any chat's own form: pure, bounded, and cleaned of everything that could pass for markup.

use crate::bridge::decide::Say;
use crate::text::clean;
use crate::words;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;

/// Longest value of a fact.
const FACT_CHARS_MAX: usize = 500;
/// Longest title; Slack's header takes 150.
const TITLE_CHARS_MAX: usize = 140;
/// Longest sentence.
const BODY_CHARS_MAX: usize = 1500;
/// Longest name or id shown.
const NAME_CHARS_MAX: usize = 120;
/// Symptoms and broken limits that are listed.
const LISTED_MAX: usize = 8;
/// Hex digits of the digest that are shown.
const DIGEST_SHOWN: usize = 12;

/// A message without a form. All texts are cleaned (see [`clean`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// One line.
    pub title: String,
    /// The sentence for whoever decides, or what came of it; may be empty.
    pub body: String,
    /// Label and value, at most ten.
    pub facts: Vec<(&'static str, String)>,
    /// When the question runs out (coordinator time).
    pub until: Option<Timestamp>,
    /// Which entry, whose wish, which incident.
    pub foot: String,
}

impl Summary {
    /// What `say` says about the entry, as of `now` (run clock).
    #[must_use]
    pub fn of(say: Say, entry: &LedgerEntry, now: Timestamp) -> Self {
        match say {
            Say::Ask => asking(entry, now),
            Say::AskedAgain => {
                Self { title: titled("Asked again below", entry), body: String::new(), facts: Vec::new(), until: None, foot: foot(entry) }
            }
            Say::Page | Say::Raise => paging(entry),
            Say::Answered | Say::Over | Say::Resolve => answered(entry),
            Say::Gone => Self::gone(&entry.id),
        }
    }

    /// The ledger does not know the entry any more.
    #[must_use]
    pub fn gone(id: &EntryId) -> Self {
        Self {
            title: format!("Over: {}", clean(id.as_str(), NAME_CHARS_MAX)),
            body: "It is not in the ledger's newest part any more; the audit log has it.".to_owned(),
            facts: Vec::new(),
            until: None,
            foot: clean(id.as_str(), NAME_CHARS_MAX),
        }
    }
}

/// What is to be done, in words.
#[must_use]
pub fn act(entry: &LedgerEntry) -> String {
    let sentence = entry.work.action().sentence();
    let sentence = if matches!(entry.work, Work::Undo { .. }) { format!("take back: {sentence}") } else { sentence };
    clean(&sentence, TITLE_CHARS_MAX)
}

fn titled(state: &str, entry: &LedgerEntry) -> String {
    clean(&format!("{state}: {}", act(entry)).replace("?:", "?"), TITLE_CHARS_MAX)
}

fn foot(entry: &LedgerEntry) -> String {
    let name = |text: &str| clean(text, NAME_CHARS_MAX);
    let parent = entry.parent.as_ref().map(|p| format!(", takes back {}", name(p.as_str()))).unwrap_or_default();
    format!("{}{parent}, wished by {}, incident {}", name(entry.id.as_str()), entry.proposal.agent, name(entry.proposal.incident.as_str()))
}

fn asking(entry: &LedgerEntry, now: Timestamp) -> Summary {
    let proposal = &entry.proposal;
    let graver = entry.severity != proposal.severity;
    let severity = if graver { format!("{} (the agent says {})", entry.severity, proposal.severity) } else { entry.severity.to_string() };
    let shown = entry.digest.0.chars().take(DIGEST_SHOWN).collect::<String>();
    let mut facts = vec![
        ("Cause", proposal.cause.as_str().replace('_', " ")),
        ("Confidence", percent(proposal.confidence)),
        ("Severity", severity),
        ("Blast", blast(entry)),
        ("Evidence", evidence(entry, now)),
        ("Can be undone", words::reversibility(entry.work.action().kind().reversibility()).to_owned()),
        ("You are asked because", because(entry)),
        ("Digest", clean(&shown, DIGEST_SHOWN)),
    ];
    if let Some(deadline) = entry.deadline {
        facts.push(("Time left", words::span(deadline.since_ms(now))));
    }
    Summary {
        title: titled(words::state(EntryState::AwaitingApproval), entry),
        body: clean(&proposal.sentence, BODY_CHARS_MAX),
        facts,
        until: entry.deadline,
        foot: foot(entry),
    }
}

fn paging(entry: &LedgerEntry) -> Summary {
    let what = match entry.state {
        EntryState::AwaitingApproval => words::state(entry.state),
        _ if entry.paging => words::state(entry.state),
        _ => "At work",
    };
    let mut facts =
        vec![("Severity", entry.severity.to_string()), ("Cause", entry.proposal.cause.as_str().replace('_', " ")), ("Blast", blast(entry))];
    facts.extend(reported(entry).map(|text| ("Reported", text)));
    facts.extend(graded(entry).map(|text| ("Graded", text)));
    Summary { title: titled(what, entry), body: clean(&entry.proposal.sentence, BODY_CHARS_MAX), facts, until: None, foot: foot(entry) }
}

fn answered(entry: &LedgerEntry) -> Summary {
    let mut facts = Vec::new();
    facts.extend(entry.first_approved_by.iter().map(|by| ("First approved by", clean(by, NAME_CHARS_MAX))));
    if let Some(by) = &entry.approved_by {
        facts.push(("Approved by", clean(by, NAME_CHARS_MAX)));
        facts.extend(since(entry, EntryState::Approved).map(|at| ("Approved at", words::time_of_day(at))));
    }
    if !entry.violations.is_empty() && matches!(entry.state, EntryState::Denied | EntryState::Cancelled) {
        facts.push((if denied_by_a_person(entry) { "Denied by" } else { "Broken limits" }, broken(entry)));
    }
    facts.extend(graded(entry).map(|text| ("Graded", text)));
    facts.extend(reported(entry).map(|text| ("Reported", text)));
    facts.extend(entry.history.last().map(|(at, _)| ("Since", words::time_of_day(*at))));
    Summary { title: titled(words::state(entry.state), entry), body: String::new(), facts, until: None, foot: foot(entry) }
}

/// A person said no.
#[must_use]
pub fn denied_by_a_person(entry: &LedgerEntry) -> bool {
    entry.violations.iter().any(|v| v.rule == LimitRule::DeniedByHuman)
}

/// What the ledger will say of a no, as long as it has not said it.
#[must_use]
pub fn denial(by: &str) -> Violation {
    Violation::new(LimitRule::DeniedByHuman, None, by)
}

fn since(entry: &LedgerEntry, state: EntryState) -> Option<Timestamp> {
    entry.history.iter().rev().find(|(_, s)| *s == state).map(|(at, _)| *at)
}

fn broken(entry: &LedgerEntry) -> String {
    let reasons: Vec<_> = entry.violations.iter().take(LISTED_MAX).map(|v| v.reason.as_str()).collect();
    clean(&reasons.join("; "), FACT_CHARS_MAX)
}

fn graded(entry: &LedgerEntry) -> Option<String> {
    entry.outcome.as_ref().map(|o| clean(&format!("{}: {}", o.as_str().replace('_', " "), o.why()), FACT_CHARS_MAX))
}

fn reported(entry: &LedgerEntry) -> Option<String> {
    use picket_core::outcome::Report;
    let text = match entry.report.as_ref()? {
        Report::Applied { receipt } => format!("applied to {} {}/{}", receipt.object.kind, receipt.object.namespace, receipt.object.name),
        Report::NoEffect { why } => format!("no effect: {why}"),
        Report::CannotTell { why, .. } => format!("cannot tell: {why}"),
    };
    Some(clean(&text, FACT_CHARS_MAX))
}

fn blast(entry: &LedgerEntry) -> String {
    let pods = entry.cost_pods;
    let services = entry.proposal.services_degraded;
    format!("{pods} {} unavailable at a time; {services} {} degraded", plural(pods, "pod"), plural(services, "service"))
}

fn plural(n: u32, one: &str) -> String {
    if n == 1 { one.to_owned() } else { format!("{one}s") }
}

fn evidence(entry: &LedgerEntry, now: Timestamp) -> String {
    let symptoms = &entry.proposal.symptoms;
    let mut listed: Vec<_> = symptoms.iter().take(LISTED_MAX).map(words::spaced).collect();
    if symptoms.len() > LISTED_MAX {
        listed.push(format!("{} more", symptoms.len() - LISTED_MAX));
    }
    if listed.is_empty() {
        listed.push("none named".to_owned());
    }
    format!("{}; read {} ago", listed.join(", "), words::span(now.since_ms(entry.proposal.evidence_echo)))
}

/// Never better than it is: 99.9 % is not 100 %.
fn percent(ratio: f64) -> String {
    if ratio.is_finite() { format!("{} %", (ratio.clamp(0.0, 1.0) * 100.0).floor()) } else { "not a number".to_owned() }
}

/// Why a person is asked: the reasons in the order of PROTOCOL.md. The phase is not in the entry.
fn because(entry: &LedgerEntry) -> String {
    if let Some(quarrel) = entry.violations.iter().find(|v| v.rule == LimitRule::Oscillation) {
        clean(&format!("it takes back another act: {}", quarrel.reason), FACT_CHARS_MAX)
    } else if entry.severity.number() <= 2 {
        format!("severity is {}", entry.severity.number())
    } else {
        "the agent's phase or a rule wants a person's consent".to_owned()
    }
}
