//! Runs a configuration through the checker, to the end.

use crate::invariant::Invariant;
use crate::rules::Rule;
use crate::setup::Setup;
use crate::step::Step;
use stateright::{Checker, HasDiscoveries, Model};

/// A run is given up at this many visits: it is a bound on memory, and reaching it is a failure.
const VISITS_MAX: usize = 60_000_000;

/// What a complete search found.
#[derive(Clone, Debug)]
pub struct Exhausted {
    /// Different states.
    pub states: usize,
    /// The longest shortest way to one.
    pub depth: usize,
    /// A broken promise, with the way to it.
    pub broken: Option<Counterexample>,
    /// What should have been reachable and was not.
    pub unreached: Vec<&'static str>,
}

/// A way from the beginning to a broken promise; no way is shorter.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What broke.
    pub breaks: Invariant,
    /// The way.
    pub steps: Vec<Step>,
}

/// Visits every state of a configuration.
///
/// # Panics
/// When the search was given up before its end: then it says nothing.
#[must_use]
pub fn exhaust(setup: Setup) -> Exhausted {
    let checker = setup.checker().target_state_count(VISITS_MAX).spawn_bfs().join();
    // The checker calls itself done also when it was stopped by the bound.
    assert!(checker.is_done() && checker.state_count() < VISITS_MAX, "{}: given up after {} visits", setup.name, checker.state_count());
    let discoveries = checker.discoveries();
    let broken = Invariant::ALL.into_iter().find(|i| discoveries.contains_key(i.as_str()));
    let unreached = setup.witnesses.iter().map(|w| w.property().name).filter(|name| !discoveries.contains_key(name)).collect();
    Exhausted {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken: broken.and_then(|_| counterexample(setup)),
        unreached,
    }
}

/// Looks for a broken promise and stops at the first; then again with less depth, until there is no shorter way.
#[must_use]
pub fn counterexample(setup: Setup) -> Option<Counterexample> {
    let mut found: Option<Counterexample> = None;
    loop {
        let quiet = Setup { witnesses: &[], ..setup };
        let search = quiet.checker().target_state_count(VISITS_MAX).finish_when(HasDiscoveries::AnyFailures);
        // A depth counts states, and those at the target are not looked at any more: this finds ways of fewer steps only.
        let search = match &found {
            Some(known) => search.target_max_depth(known.steps.len() + 1),
            None => search,
        };
        let checker = search.spawn_bfs().join();
        let discoveries = checker.discoveries();
        let shortest = Invariant::ALL
            .into_iter()
            .filter_map(|i| discoveries.get(i.as_str()).map(|path| Counterexample { breaks: i, steps: path.clone().into_actions() }))
            .min_by_key(|c| c.steps.len());
        match shortest {
            Some(shorter) if found.as_ref().is_none_or(|known| shorter.steps.len() < known.steps.len()) => found = Some(shorter),
            _ => return found,
        }
    }
}

/// The configuration with some rules off.
#[must_use]
pub fn without(setup: Setup, off: &[Rule]) -> Setup {
    Setup { rules: off.iter().fold(setup.rules, |rules, rule| rules.without(*rule)), ..setup }
}
