//! Who calls whom in the OpenTelemetry Demo, by its own documentation and not by the benchmark's truths.
//!
//! Source: the service diagram of <https://opentelemetry.io/docs/demo/architecture/>, in the edition that has product reviews. Arrows are
//! kept as they are drawn there, so the queue points at its consumers, as in picket's own graph. Cache and queue go by the names of their
//! workloads. Clients (the load generator, the mobile app, the internet) are no services and left out.

use picket_core::graph::ServiceGraph;
use picket_core::ids::ServiceId;
use picket_core::time::Timestamp;

/// The namespace that the benchmark installs the demo in.
pub(super) const NAMESPACE: &str = "otel-demo";
/// The one cluster.
pub(super) const CLUSTER: &str = "itbench";

/// Caller and callees.
const CALLS: [(&str, &[&str]); 13] = [
    ("accounting", &["postgresql"]),
    ("ad", &["flagd"]),
    ("cart", &["flagd", "valkey-cart"]),
    ("checkout", &["cart", "currency", "email", "kafka", "payment", "product-catalog", "shipping"]),
    ("fraud-detection", &["flagd"]),
    ("frontend", &["ad", "cart", "checkout", "currency", "product-catalog", "product-reviews", "recommendation", "shipping"]),
    ("frontend-proxy", &["flagd", "flagd-ui", "frontend", "image-provider"]),
    ("kafka", &["accounting", "fraud-detection"]),
    ("llm", &["flagd", "product-reviews"]),
    ("payment", &["flagd"]),
    ("product-reviews", &["flagd", "llm", "postgresql", "product-catalog"]),
    ("recommendation", &["flagd", "product-catalog"]),
    ("shipping", &["quote"]),
];

fn id(name: &str) -> ServiceId {
    ServiceId::new(CLUSTER, NAMESPACE, name)
}

/// The graph, its calls last seen at `at`.
pub(super) fn graph(at: Timestamp) -> ServiceGraph {
    let mut graph = ServiceGraph::default();
    for (caller, callees) in CALLS {
        for callee in callees {
            graph.observe_call(&id(caller), &id(callee), at, 1);
        }
    }
    graph
}

/// Older releases of the demo wrote `adservice` and `frontendproxy`.
fn spelling(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match letters.strip_suffix("service") {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => letters,
    }
}

/// The demo's service of that name, in any of the spellings it has had.
pub(super) fn service(name: &str) -> Option<ServiceId> {
    let wanted = spelling(name);
    let mut known = CALLS.iter().flat_map(|(caller, callees)| std::iter::once(caller).chain(callees.iter()));
    known.find(|known| spelling(known) == wanted).map(|known| id(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_has_the_demos_services_in_all_their_spellings_and_nothing_else() {
        let graph = graph(Timestamp(0));
        for name in ["ad", "adservice", "AdService", "productcatalog", "frontendproxy", "fraud-detection", "kafka"] {
            let found = service(name).unwrap();
            assert!(graph.services().any(|known| *known == found), "{name}");
        }
        for name in ["flagd-config", "load-generator", "node-1", "otel-demo", "service", "", "cart-service-secret"] {
            assert_eq!(service(name), None, "{name}");
        }
        let calls = graph.snapshot().calls;
        assert_eq!((graph.services().count(), calls.len()), (22, 36));
        let (from, to) = (service("checkout").unwrap(), service("payment").unwrap());
        assert!(calls.iter().any(|call| call.caller == from && call.callee == to));
    }
}
