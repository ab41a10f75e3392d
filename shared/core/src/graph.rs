//! The live service graph: who calls whom.

use crate::ids::ServiceId;
use crate::time::Timestamp;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef as _, IntoEdgeReferences as _};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Who calls.
    pub caller: ServiceId,
    /// Who is called.
    pub callee: ServiceId,
    /// Last seen (event time).
    pub last_seen: Timestamp,
    /// Calls seen since the edge was made.
    pub count: u64,
}

/// The graph as it travels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphSnapshot {
    /// Rises with every change of its shape.
    pub version: u64,
    /// Every service, sorted.
    pub services: Vec<ServiceId>,
    /// Every edge, sorted.
    pub calls: Vec<Call>,
}

/// A directed graph of services; an edge points from caller to callee.
#[derive(Clone, Debug, Default)]
pub struct ServiceGraph {
    version: u64,
    graph: StableDiGraph<ServiceId, (Timestamp, u64)>,
    index: BTreeMap<ServiceId, NodeIndex>,
}

impl ServiceGraph {
    /// Bound on services; further ones are not added (a payload cannot grow the graph without end).
    pub const SERVICES_MAX: usize = 20_000;

    /// Rises with every change of the graph's shape; a call on a known edge does not change it.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Every service, sorted.
    pub fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.index.keys()
    }

    /// Adds a service that calls nobody yet. False when the graph is full.
    pub fn observe_service(&mut self, service: &ServiceId) -> bool {
        self.node(service).is_some()
    }

    fn node(&mut self, service: &ServiceId) -> Option<NodeIndex> {
        if let Some(node) = self.index.get(service) {
            return Some(*node);
        }
        if self.index.len() >= Self::SERVICES_MAX {
            return None;
        }
        let node = self.graph.add_node(service.clone());
        self.index.insert(service.clone(), node);
        self.version += 1;
        Some(node)
    }

    /// Records `count` calls. Calls to oneself are no edge.
    pub fn observe_call(&mut self, caller: &ServiceId, callee: &ServiceId, at: Timestamp, count: u64) {
        if caller == callee {
            return;
        }
        let (Some(from), Some(to)) = (self.node(caller), self.node(callee)) else { return };
        if let Some(edge) = self.graph.find_edge(from, to) {
            let (seen, calls) = &mut self.graph[edge];
            *seen = (*seen).max(at);
            *calls += count;
        } else {
            self.graph.add_edge(from, to, (at, count));
            self.version += 1;
        }
    }

    /// Forgets edges not seen since `before`. Services stay: a quiet one is still there.
    pub fn forget_calls_before(&mut self, before: Timestamp) {
        let edges = self.graph.edge_count();
        self.graph.retain_edges(|graph, edge| graph[edge].0 >= before);
        if self.graph.edge_count() != edges {
            self.version += 1;
        }
    }

    fn neighbours(&self, service: &ServiceId, direction: Direction) -> Vec<ServiceId> {
        let Some(node) = self.index.get(service) else { return Vec::new() };
        let mut found: Vec<_> = self.graph.neighbors_directed(*node, direction).map(|n| self.graph[n].clone()).collect();
        found.sort_unstable();
        found
    }

    /// What it calls, sorted.
    #[must_use]
    pub fn callees(&self, service: &ServiceId) -> Vec<ServiceId> {
        self.neighbours(service, Direction::Outgoing)
    }

    /// Who calls it, sorted.
    #[must_use]
    pub fn callers(&self, service: &ServiceId) -> Vec<ServiceId> {
        self.neighbours(service, Direction::Incoming)
    }

    fn reachable(&self, service: &ServiceId, direction: Direction) -> BTreeMap<ServiceId, u32> {
        let mut found = BTreeMap::new();
        let Some(start) = self.index.get(service) else { return found };
        let mut seen = BTreeSet::from([*start]);
        let mut queue = VecDeque::from([(*start, 0)]);
        while let Some((node, hops)) = queue.pop_front() {
            for next in self.graph.neighbors_directed(node, direction) {
                if seen.insert(next) {
                    found.insert(self.graph[next].clone(), hops + 1);
                    queue.push_back((next, hops + 1));
                }
            }
        }
        found
    }

    /// Its blast radius: who calls it, directly or not, with the number of hops.
    #[must_use]
    pub fn dependants(&self, service: &ServiceId) -> BTreeMap<ServiceId, u32> {
        self.reachable(service, Direction::Incoming)
    }

    /// What it depends on, directly or not, with the number of hops.
    #[must_use]
    pub fn dependencies(&self, service: &ServiceId) -> BTreeMap<ServiceId, u32> {
        self.reachable(service, Direction::Outgoing)
    }

    /// Hops between two services, whichever way the calls go; `None` when they are not connected.
    #[must_use]
    pub fn distance(&self, a: &ServiceId, b: &ServiceId) -> Option<u32> {
        let (start, goal) = (*self.index.get(a)?, *self.index.get(b)?);
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([(start, 0)]);
        while let Some((node, hops)) = queue.pop_front() {
            if node == goal {
                return Some(hops);
            }
            for next in self.graph.neighbors_undirected(node) {
                if seen.insert(next) {
                    queue.push_back((next, hops + 1));
                }
            }
        }
        None
    }

    /// The calls among these services and their direct neighbours.
    #[must_use]
    pub fn calls_around(&self, services: &[ServiceId]) -> Vec<(ServiceId, ServiceId)> {
        let near: BTreeSet<_> = services.iter().filter_map(|s| self.index.get(s)).copied().collect();
        let mut calls: Vec<_> = self
            .graph
            .edge_references()
            .filter(|e| near.contains(&e.source()) || near.contains(&e.target()))
            .map(|e| (self.graph[e.source()].clone(), self.graph[e.target()].clone()))
            .collect();
        calls.sort_unstable();
        calls
    }

    /// The graph as it travels.
    #[must_use]
    pub fn snapshot(&self) -> GraphSnapshot {
        let mut calls: Vec<_> = self
            .graph
            .edge_references()
            .map(|e| Call {
                caller: self.graph[e.source()].clone(),
                callee: self.graph[e.target()].clone(),
                last_seen: e.weight().0,
                count: e.weight().1,
            })
            .collect();
        calls.sort_unstable_by(|a, b| (&a.caller, &a.callee).cmp(&(&b.caller, &b.callee)));
        GraphSnapshot { version: self.version, services: self.index.keys().cloned().collect(), calls }
    }

    /// The graph from what travelled; its version is the snapshot's.
    #[must_use]
    pub fn from_snapshot(snapshot: &GraphSnapshot) -> Self {
        let mut graph = Self::default();
        for service in &snapshot.services {
            graph.observe_service(service);
        }
        for call in &snapshot.calls {
            graph.observe_call(&call.caller, &call.callee, call.last_seen, call.count);
        }
        graph.version = snapshot.version;
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ServiceId {
        ServiceId::new("c", "n", name)
    }

    fn chain() -> ServiceGraph {
        let mut graph = ServiceGraph::default();
        for (caller, callee) in [("web", "cart"), ("cart", "db"), ("web", "search")] {
            graph.observe_call(&id(caller), &id(callee), Timestamp(10), 1);
        }
        graph
    }

    #[test]
    fn blast_radius_is_who_calls() {
        let graph = chain();
        assert_eq!(graph.dependants(&id("db")), BTreeMap::from([(id("cart"), 1), (id("web"), 2)]));
        assert_eq!(graph.dependencies(&id("web")).len(), 3);
        assert_eq!(graph.distance(&id("db"), &id("search")), Some(3));
        assert_eq!(graph.distance(&id("db"), &id("nobody")), None);
    }

    #[test]
    fn edges_age_and_the_version_tells() {
        let mut graph = chain();
        let version = graph.version();
        graph.observe_call(&id("web"), &id("cart"), Timestamp(99), 1);
        assert_eq!(graph.version(), version, "a known edge changes nothing of the shape");
        graph.forget_calls_before(Timestamp(50));
        assert!(graph.version() > version);
        assert_eq!(graph.callees(&id("web")), [id("cart")]);
        assert_eq!(graph.services().count(), 4);
    }

    #[test]
    fn it_travels() {
        let graph = chain();
        assert_eq!(ServiceGraph::from_snapshot(&graph.snapshot()).snapshot(), graph.snapshot());
    }
}
