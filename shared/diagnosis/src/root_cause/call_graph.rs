//! Who calls whom, by name.

use std::collections::{BTreeMap, BTreeSet};

/// A directed graph of calls; cycles are allowed, calls to oneself are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallGraph {
    callees: BTreeMap<String, BTreeSet<String>>,
}

impl CallGraph {
    /// Adds a call.
    pub fn add(&mut self, caller: &str, callee: &str) {
        if caller != callee {
            self.callees.entry(caller.to_owned()).or_default().insert(callee.to_owned());
        }
    }

    /// Whom a node calls, sorted.
    pub fn callees(&self, node: &str) -> impl Iterator<Item = &str> {
        self.callees.get(node).into_iter().flatten().map(String::as_str)
    }

    /// Who calls a node, sorted.
    pub fn callers<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a str> {
        self.callees.iter().filter(move |(_, callees)| callees.contains(node)).map(|(caller, _)| caller.as_str())
    }

    /// Nodes that call and are not called, sorted: where users come in.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.callees.keys().map(String::as_str).filter(|node| self.callers(node).next().is_none())
    }

    /// Whether nobody calls anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.callees.is_empty()
    }
}
