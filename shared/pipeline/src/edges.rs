//! Finds calls between services in spans and flows.

use picket_core::graph::ServiceGraph;
use picket_core::ids::ServiceId;
use picket_core::signal::{Signal, Span, SpanKind};
use std::collections::{HashMap, VecDeque};

/// Joins the two sides of a call, whichever arrives first.
#[derive(Debug, Default)]
pub struct EdgeFinder {
    /// Client spans by their id: who calls.
    callers: Waiting,
    /// Server spans by their parent's id: who was called.
    callees: Waiting,
}

/// Spans of each side that wait for the other; beyond it the oldest is forgotten.
const SPANS_MAX: usize = 50_000;

#[derive(Debug, Default)]
struct Waiting {
    services: HashMap<String, ServiceId>,
    order: VecDeque<String>,
}

impl Waiting {
    fn insert(&mut self, span: &str, service: &ServiceId) {
        if self.services.insert(span.to_owned(), service.clone()).is_none() {
            self.order.push_back(span.to_owned());
        }
        if self.order.len() > SPANS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.services.remove(&oldest);
        }
    }
}

impl EdgeFinder {
    /// Adds to the graph whatever call this signal completes.
    pub fn observe(&mut self, signal: &Signal, graph: &mut ServiceGraph) {
        match signal {
            Signal::Span(span) if !span.resource.service.name.is_empty() => self.observe_span(span, graph),
            Signal::Flow(flow) if !flow.peer.name.is_empty() && !flow.resource.service.name.is_empty() => {
                graph.observe_call(&flow.resource.service, &flow.peer, flow.at, 1);
            }
            _ => {}
        }
    }

    fn observe_span(&mut self, span: &Span, graph: &mut ServiceGraph) {
        let service = &span.resource.service;
        match span.kind {
            SpanKind::Client | SpanKind::Producer => {
                if let Some(callee) = self.callees.services.get(&span.span_id) {
                    graph.observe_call(service, callee, span.end, 1);
                }
                self.callers.insert(&span.span_id, service);
            }
            SpanKind::Server | SpanKind::Consumer if !span.parent_span_id.is_empty() => {
                if let Some(caller) = self.callers.services.get(&span.parent_span_id) {
                    graph.observe_call(caller, service, span.end, 1);
                }
                self.callees.insert(&span.parent_span_id, service);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::signal::Resource;
    use picket_core::time::Timestamp;

    fn span(service: &str, kind: SpanKind, id: &str, parent: &str) -> Signal {
        Signal::Span(Span {
            resource: Resource { service: ServiceId::new("c", "n", service), ..Resource::default() },
            trace_id: "t".into(),
            span_id: id.into(),
            parent_span_id: parent.into(),
            name: "GET /".into(),
            kind,
            start: Timestamp(0),
            end: Timestamp(1),
            error: false,
            peer_service: None,
            attributes: Default::default(),
        })
    }

    #[test]
    fn the_two_sides_of_a_call_meet_in_any_order() {
        for client_first in [true, false] {
            let (mut finder, mut graph) = (EdgeFinder::default(), ServiceGraph::default());
            let mut sides = [span("web", SpanKind::Client, "1", "0"), span("cart", SpanKind::Server, "2", "1")];
            if !client_first {
                sides.reverse();
            }
            for side in &sides {
                finder.observe(side, &mut graph);
            }
            assert_eq!(graph.callees(&ServiceId::new("c", "n", "web")), [ServiceId::new("c", "n", "cart")]);
        }
    }
}
