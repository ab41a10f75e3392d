//! `picket policy rules | explain | replay`: the user's own rules, tried before they are put in force.

use super::table;
use crate::wiring::Wiring;
use anyhow::{Context as _, bail};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::AgentKind;
use picket_core::policy::Policy;
use picket_core::ports::Coordinator as _;
use picket_core::rules::{RuleAnswer, RuleQuestion};
use picket_core::time::Timestamp;
use picket_rules::RuleSet;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// Entries asked for: more than a coordinator keeps.
const ENTRIES_MAX: usize = 100_000;

/// Reads rules, and says what they are; asks nobody.
///
/// # Errors
/// When the file is no set of rules, with the place.
pub fn check(file: &Path, json: bool) -> anyhow::Result<()> {
    let names = read(file)?.1.names();
    if json {
        return super::print_json(&json!({ "rules": names }));
    }
    println!("{}: {} rules that fit: {}", file.display(), names.len(), names.join(", "));
    Ok(())
}

/// Whether a file is meant as rules and not as a policy.
#[must_use]
pub fn are_meant(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "cedar")
}

fn read(file: &Path) -> anyhow::Result<(String, RuleSet)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let set = RuleSet::read(&text, 0).with_context(|| file.display().to_string())?;
    Ok((text, set))
}

/// The policy with those rules for that agent in place of the ones in force; none without a file.
///
/// # Errors
/// When the file is no set of rules.
pub fn with(policy: Policy, agent: AgentKind, file: Option<&Path>) -> anyhow::Result<Policy> {
    let mut rules = policy.rules.clone();
    match file {
        Some(file) => drop(rules.insert(agent, read(file)?.0)),
        None => drop(rules.remove(&agent)),
    }
    Ok(Policy { rules, ..policy })
}

/// What is asked: rules from files, by agent, or else those in force.
struct Asked(BTreeMap<AgentKind, RuleSet>);

impl Asked {
    async fn new(wiring: &Wiring, files: &[(AgentKind, std::path::PathBuf)]) -> anyhow::Result<Self> {
        if !files.is_empty() {
            return files.iter().map(|(agent, file)| Ok((*agent, read(file)?.1))).collect::<anyhow::Result<_>>().map(Self);
        }
        let policy = super::as_person(wiring)?.policy().await?;
        let sets = policy.rules.iter().map(|(agent, text)| Ok((*agent, RuleSet::read(text, policy.version)?)));
        sets.collect::<anyhow::Result<_>>().map(Self)
    }

    /// An agent without rules is bound by the limits alone.
    fn ask(&self, question: &RuleQuestion) -> RuleAnswer {
        let free = || RuleAnswer { policy_version: 0, allowed: true, by: Vec::new(), errors: Vec::new() };
        self.0.get(&question.agent).map_or_else(free, |rules| rules.ask(question))
    }

    fn word(&self, question: &RuleQuestion) -> String {
        if self.0.contains_key(&question.agent) {
            self.ask(question).why()
        } else {
            format!("there are no rules for {}: the limits alone decide", question.agent)
        }
    }
}

/// Says which rule decides on a question: a file with one (or with an entry of the ledger), or an entry's id.
///
/// # Errors
/// When there is no question in it, or rules cannot be read.
pub async fn explain(wiring: &Wiring, question: &str, files: &[(AgentKind, std::path::PathBuf)], json: bool) -> anyhow::Result<()> {
    let question = match std::fs::read_to_string(question) {
        Ok(text) => question_in(&text).with_context(|| format!("{question}: neither a question nor an entry of the ledger"))?,
        Err(_) => {
            let entries = super::as_person(wiring)?.entries(ENTRIES_MAX).await?;
            let entry = entries.into_iter().find(|entry| entry.id.as_str() == question);
            let entry = entry.with_context(|| format!("`{question}` is no file, and no entry that the coordinator remembers"))?;
            *entry.asked.with_context(|| format!("{question} is an undo: rules are not asked about those"))?
        }
    };
    let asked = Asked::new(wiring, files).await?;
    if json {
        return super::print_json(&json!({ "question": question, "answer": asked.ask(&question) }));
    }
    println!("{} on {} by {}: {}", question.kind, question.service, question.agent, asked.word(&question));
    Ok(())
}

fn question_in(text: &str) -> anyhow::Result<RuleQuestion> {
    match serde_json::from_str::<LedgerEntry>(text) {
        Ok(LedgerEntry { asked: Some(question), .. }) => Ok(*question),
        Ok(_) => bail!("it is an undo: rules are not asked about those"),
        Err(_) => Ok(serde_json::from_str(text)?),
    }
}

/// What rules would have said of everything that was asked since then, beside what came of it.
///
/// # Errors
/// When the coordinator is away, or rules cannot be read.
pub async fn replay(wiring: &Wiring, since_ms: i64, files: &[(AgentKind, std::path::PathBuf)], json: bool) -> anyhow::Result<()> {
    let asked = Asked::new(wiring, files).await?;
    let person = super::as_person(wiring)?;
    let since = person.status().await?.now.plus_ms(-since_ms);
    let replayed = replayed(&person.entries(ENTRIES_MAX).await?, since, &asked);
    if json {
        return super::print_json(&json!({
            "asked": replayed.asked, "refused_then": replayed.refused_then, "refused_now": replayed.refused_now, "changes": replayed.changes,
        }));
    }
    let rows: Vec<[String; 5]> = replayed
        .changes
        .iter()
        .map(|c| [c.entry.clone(), c.agent.to_string(), c.act.clone(), format!("{:?}", c.then), c.now.why()])
        .collect();
    println!("{} proposals; refused by rules then {}, now {}", replayed.asked, replayed.refused_then, replayed.refused_now);
    table::print(["ENTRY", "AGENT", "ACT", "CAME TO", "NOW"], &rows, "nothing would change");
    Ok(())
}

/// An entry that other rules decide otherwise.
#[derive(serde::Serialize)]
struct Change {
    entry: String,
    agent: AgentKind,
    act: String,
    /// What the entry came to.
    then: picket_core::ledger::EntryState,
    now: RuleAnswer,
}

#[derive(Default)]
struct Replayed {
    asked: usize,
    refused_then: usize,
    refused_now: usize,
    changes: Vec<Change>,
}

fn replayed(entries: &[LedgerEntry], since: Timestamp, asked: &Asked) -> Replayed {
    use picket_core::limits::LimitRule;
    let mut replayed = Replayed::default();
    for entry in entries {
        let Some(question) = entry.asked.as_ref().filter(|question| question.at >= since) else { continue };
        let now = asked.ask(question);
        let refused = entry.violations.iter().any(|violation| violation.rule == LimitRule::UserPolicy);
        replayed.asked += 1;
        replayed.refused_then += usize::from(refused);
        replayed.refused_now += usize::from(!now.allowed);
        if refused == now.allowed {
            let act = entry.work.action().sentence();
            replayed.changes.push(Change { entry: entry.id.to_string(), agent: question.agent, act, then: entry.state, now });
        }
    }
    replayed
}
