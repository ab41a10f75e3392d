//! What it comes to.

use crate::DatasetError;
use picket_core::ports::PortError;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a set cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ItBenchError {
    /// It cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The diagnosis itself failed.
    #[error(transparent)]
    Diagnosis(#[from] PortError),
}

/// What kind of question a scenario asks.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its root cause is a service of the graph: ranked.
    Case,
    /// Its root cause is none: only what was named and proposed counts.
    NotRankable,
    /// None of its alerts is a symptom of a service: nothing is diagnosed.
    NoAlerts,
    /// The set does not say what was behind it.
    #[default]
    NoTruth,
}

/// One scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Judged {
    /// As the set names it.
    pub scenario: String,
    /// `sre` or `finops`, where the set says so.
    pub category: Option<String>,
    /// What it asks.
    pub outcome: Outcome,
    /// Groups that are a root cause: kind and id.
    pub roots: Vec<String>,
    /// Services that count as right.
    pub right: Vec<String>,
    /// Place of the first of them, from 1; none when it shows no alert.
    pub position: Option<usize>,
    /// Services that were ranked.
    pub ranked: usize,
    /// The first of them, with reasons.
    pub first: Option<String>,
    /// Why that one.
    pub reasons: Vec<String>,
    /// The service of the cause that was named, where one was.
    pub named: Option<String>,
    /// It does not count as right.
    pub named_wrong: bool,
    /// The diagnosis in words.
    pub sentence: String,
    /// What was proposed, and on which service.
    pub act: Option<String>,
    /// The act is on a service that does not count as right.
    pub act_wrong: bool,
}

/// The score of a set.
///
/// `scenarios` is the sum of `cases`, `not_rankable`, `no_alerts` and `no_truth`; `named` and `abstained` together are `cases` and
/// `not_rankable`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ItBenchReport {
    /// Scenarios of the set.
    pub scenarios: usize,
    /// Those whose root cause is a service of the graph.
    pub cases: usize,
    /// Those whose root cause is something else: an injected fault's object, a flag, a node, a client.
    pub not_rankable: usize,
    /// Those without an alert that is a symptom of a service.
    pub no_alerts: usize,
    /// Those of which the set does not say what was behind them.
    pub no_truth: usize,
    /// Share of cases with a right service first.
    pub top1: f64,
    /// Among the first three.
    pub top3: f64,
    /// Share expected first when the services with alerts are put in any order.
    pub top1_by_chance: f64,
    /// Diagnoses that named a cause.
    pub named: usize,
    /// Of these, on a service that does not count as right.
    pub named_wrong: usize,
    /// Diagnoses that named none.
    pub abstained: usize,
    /// Acts that were proposed.
    pub acts_proposed: usize,
    /// Of these, on a service that does not count as right.
    pub acts_wrong: usize,
    /// Alerts of all scenarios.
    pub alerts: usize,
    /// Alerts that picket has no symptom for: left out.
    pub alerts_unknown: usize,
    /// Alerts with a symptom, but on nothing that is a service: left out.
    pub alerts_unplaced: usize,
    /// Those without a symptom, by id.
    pub unknown: BTreeMap<String, usize>,
    /// Every scenario.
    pub judged: Vec<Judged>,
}

impl ItBenchReport {
    /// Adds up what was judged; alerts are counted by who saw them.
    pub(super) fn add_up(&mut self) {
        let count = |which: &dyn Fn(&Judged) -> bool| self.judged.iter().filter(|one| which(one)).count();
        let of = |outcome: Outcome| count(&|one| one.outcome == outcome);
        let cases = of(Outcome::Case);
        let share = |within: usize| {
            count(&|one| one.outcome == Outcome::Case && one.position.is_some_and(|at| at <= within)) as f64 / cases.max(1) as f64
        };
        let (top1, top3) = (share(1), share(3));
        let named = count(&|one| one.named.is_some());
        let named_wrong = count(&|one| one.named_wrong);
        let (proposed, wrong) = (count(&|one| one.act.is_some()), count(&|one| one.act_wrong));
        (self.not_rankable, self.no_alerts, self.no_truth) = (of(Outcome::NotRankable), of(Outcome::NoAlerts), of(Outcome::NoTruth));
        (self.scenarios, self.cases, self.top1, self.top3) = (self.judged.len(), cases, top1, top3);
        (self.named, self.named_wrong) = (named, named_wrong);
        self.abstained = cases + self.not_rankable - named;
        (self.acts_proposed, self.acts_wrong) = (proposed, wrong);
    }
}
