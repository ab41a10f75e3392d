//! Small graphs by hand: what a person would say about them.

use super::{Alert, CallGraph, MetricKind, Normality, Period, Ranking, Series, WindowShape, rank};
use MetricKind::{Availability, Cpu, Latency, Network, Traffic};

const SHAPE: WindowShape = WindowShape { before: 3, during: 4 };
const ROWS: usize = 200;

/// A shop: the front calls cart and search, cart calls the store.
struct Shop {
    normal: Period,
    incident: Period,
    graph: CallGraph,
}

/// Noise that repeats: 3 % around 1, different for every series.
fn noise(row: usize, seed: usize) -> f64 {
    let mixed = (row * 7919 + seed * 104_729 + 12_345) % 1009;
    1.0 + 0.06 * (mixed as f64 / 1009.0 - 0.5)
}

impl Shop {
    fn new(kinds: &[MetricKind]) -> Self {
        let mut graph = CallGraph::default();
        for (caller, callee) in [("front", "cart"), ("front", "search"), ("cart", "store")] {
            graph.add(caller, callee);
        }
        let mut shop = Self { normal: Period::default(), incident: Period::default(), graph };
        for (n, (node, level)) in [("front", 100.0), ("cart", 40.0), ("search", 60.0), ("store", 20.0)].into_iter().enumerate() {
            for (k, kind) in kinds.iter().enumerate() {
                let make = |rows: usize, from: usize| Series {
                    node: node.to_owned(),
                    instance: String::new(),
                    metric: format!("{kind:?}"),
                    kind: *kind,
                    readings: (0..rows).map(|row| level * noise(from + row, n * 10 + k)).collect(),
                };
                shop.normal.series.push(make(ROWS, 0));
                shop.incident.series.push(make(SHAPE.length(), 5000));
            }
        }
        shop
    }

    /// Multiplies a node's readings of one kind from the incident's step `from` on.
    fn multiply(&mut self, node: &str, kind: MetricKind, by: f64, from: usize) -> &mut Self {
        let of = |s: &&mut Series| s.node == node && s.kind == kind;
        for series in self.incident.series.iter_mut().filter(of) {
            series.readings.iter_mut().skip(SHAPE.before + from).for_each(|v| *v *= by);
        }
        self
    }

    fn rank(&self, kind: Option<MetricKind>) -> Ranking {
        let evidence = Normality::learn(&self.normal, SHAPE).read(&self.incident);
        rank(&evidence, &self.graph, &Alert { node: "front".to_owned(), kind })
    }

    fn first(&self, kind: Option<MetricKind>) -> String {
        let ranking = self.rank(kind);
        assert!(ranking.stands_out, "{ranking:?}");
        ranking.suspects[0].node.clone()
    }
}

#[test]
fn nothing_stands_out_on_a_quiet_day() {
    for kind in [None, Some(Latency), Some(Availability)] {
        let ranking = Shop::new(&[Latency, Availability, Traffic, Cpu]).rank(kind);
        assert!(!ranking.stands_out && ranking.cause().is_none(), "{ranking:?}");
        assert_eq!(ranking.suspects.len(), 4, "there is still an order in which to look");
    }
}

#[test]
fn a_slow_callee_explains_its_callers() {
    let mut shop = Shop::new(&[Latency, Traffic]);
    shop.multiply("store", Latency, 5.0, 0).multiply("cart", Latency, 3.0, 0).multiply("front", Latency, 1.6, 0);
    let ranking = shop.rank(Some(Latency));
    let order: Vec<_> = ranking.suspects.iter().map(|s| s.node.as_str()).collect();
    assert_eq!(order[0], "store", "{ranking:?}");
    let said = ranking.cause().unwrap().reasons.join("; ");
    assert!(said.contains("latency rose") && said.contains("first at step +0") && said.contains("callers follow: cart"), "{said}");
}

#[test]
fn a_caller_that_its_callee_explains_little_keeps_the_blame() {
    let mut shop = Shop::new(&[Latency, Traffic]);
    shop.multiply("store", Latency, 1.3, 0).multiply("cart", Latency, 6.0, 0).multiply("front", Latency, 2.0, 0);
    assert_eq!(shop.first(Some(Latency)), "cart");
}

#[test]
fn a_slow_front_whose_callees_are_well_is_the_cause_itself() {
    let mut shop = Shop::new(&[Latency, Traffic]);
    shop.multiply("front", Latency, 3.0, 0);
    assert_eq!(shop.first(Some(Latency)), "front");
}

#[test]
fn failures_are_followed_to_where_they_begin() {
    let mut shop = Shop::new(&[Availability, Latency, Traffic]);
    shop.multiply("search", Availability, 0.90, 0).multiply("front", Availability, 0.95, 0).multiply("cart", Latency, 4.0, 0);
    assert_eq!(shop.first(Some(Availability)), "search", "the complaint is about failures, not about slowness elsewhere");
}

#[test]
fn traffic_that_falls_below_a_failing_caller_is_a_victims_sign() {
    let mut shop = Shop::new(&[Latency, Traffic]);
    // The cart answers with errors before it calls the store.
    shop.multiply("store", Traffic, 0.05, 0);
    let ranking = shop.rank(None);
    assert_eq!(ranking.suspects[0].node, "cart", "{ranking:?}");
    assert!(ranking.suspects[0].reasons[0].contains("store lost its traffic"), "{ranking:?}");
    // Fewer users: everybody loses traffic alike, and nobody is to blame.
    let mut fewer = Shop::new(&[Latency, Traffic]);
    for node in ["front", "cart", "search", "store"] {
        fewer.multiply(node, Traffic, 0.3, 0);
    }
    assert!(!fewer.rank(None).stands_out);
}

#[test]
fn a_busy_processor_counts_only_beyond_what_the_traffic_explains() {
    let mut shop = Shop::new(&[Latency, Traffic, Cpu]);
    // Traffic and processor time rise and fall together over the day.
    for period in [&mut shop.normal, &mut shop.incident] {
        let tide = |row: usize| 1.0 + 0.5 * (row as f64 / 9.0).sin();
        for series in period.series.iter_mut().filter(|s| matches!(s.kind, Traffic | Cpu)) {
            series.readings.iter_mut().enumerate().for_each(|(row, v)| *v *= tide(row));
        }
    }
    let mut surge = Shop { normal: shop.normal.clone(), incident: shop.incident.clone(), graph: shop.graph.clone() };
    for node in ["front", "cart", "search", "store"] {
        surge.multiply(node, Traffic, 1.8, 0).multiply(node, Cpu, 1.8, 0);
    }
    assert!(!surge.rank(None).stands_out, "{:?}", surge.rank(None));
    shop.multiply("search", Cpu, 4.0, 0).multiply("front", Latency, 1.3, 0);
    assert_eq!(shop.first(None), "search");
}

#[test]
fn trouble_of_its_own_reaches_through_a_caller_that_shows_nothing() {
    let mut shop = Shop::new(&[Latency, Traffic, Network]);
    shop.multiply("store", Network, 20.0, 0).multiply("front", Latency, 1.3, 0);
    assert_eq!(shop.first(None), "store");
}

#[test]
fn a_node_that_was_never_seen_before_is_its_callers_doing() {
    let mut shop = Shop::new(&[Availability, Traffic]);
    shop.multiply("store", Availability, 0.8, 0).multiply("cart", Availability, 0.9, 0).multiply("front", Availability, 0.95, 0);
    shop.graph.add("store", "misspelt");
    let readings = vec![0.0; SHAPE.length()];
    let (node, metric) = ("misspelt".to_owned(), "Availability".to_owned());
    shop.incident.series.push(Series { node, instance: String::new(), metric, kind: Availability, readings });
    assert_eq!(shop.first(Some(Availability)), "store");
}

#[test]
fn without_known_calls_faint_signs_add_up() {
    let mut shop = Shop::new(&[Latency, Traffic, Cpu]);
    shop.graph = CallGraph::default();
    shop.multiply("cart", Latency, 1.04, 0).multiply("cart", Cpu, 1.04, 0).multiply("search", Latency, 1.03, 0);
    let ranking = shop.rank(None);
    assert_eq!(ranking.suspects[0].node, "cart", "{ranking:?}");
    assert!(!ranking.stands_out, "faint signs give an order, not a cause");
    shop.multiply("front", Latency, 1.045, 0);
    assert_eq!(shop.rank(None).suspects[0].node, "cart", "that the front is slow is the complaint, not evidence against it");
}

#[test]
fn units_and_gaps_change_nothing() {
    let mut shop = Shop::new(&[Latency, Availability, Traffic, Cpu]);
    shop.multiply("store", Latency, 5.0, 1).multiply("cart", Latency, 3.0, 1).multiply("front", Latency, 1.6, 1);
    let before = shop.rank(None);
    for period in [&mut shop.normal, &mut shop.incident] {
        for series in &mut period.series {
            let unit = match series.kind {
                Latency => 1000.0,
                Availability => 0.01,
                Traffic => 1.0 / 60.0,
                _ => 0.001,
            };
            series.readings.iter_mut().for_each(|v| *v *= unit);
        }
    }
    let after = shop.rank(None);
    assert_eq!(before.stands_out, after.stands_out);
    for (a, b) in before.suspects.iter().zip(&after.suspects) {
        assert!(a.node == b.node && (a.blame - b.blame).abs() < 1e-9, "{a:?} {b:?}");
    }
    shop.incident.series.iter_mut().for_each(|s| s.readings[SHAPE.before] = f64::NAN);
    shop.normal.series.iter_mut().for_each(|s| s.readings[17] = f64::NAN);
    assert_eq!(shop.first(None), "store");
}

#[test]
fn circles_empty_windows_and_unknown_nodes_are_survived() {
    let mut shop = Shop::new(&[Latency, Traffic]);
    shop.graph.add("store", "front");
    shop.graph.add("store", "cart");
    shop.multiply("store", Latency, 5.0, 0).multiply("cart", Latency, 5.0, 0).multiply("front", Latency, 5.0, 0);
    let ranking = shop.rank(None);
    let blame: f64 = ranking.suspects.iter().map(|s| s.blame).sum();
    assert!((blame - 1.0).abs() < 1e-6, "no blame is lost or made: {ranking:?}");
    let evidence = Normality::learn(&shop.normal, SHAPE).read(&Period::default());
    assert_eq!(rank(&evidence, &shop.graph, &Alert { node: "nobody".to_owned(), kind: None }), Ranking::default());
    let silent = shop.incident.window(1000, SHAPE.length());
    let evidence = Normality::learn(&shop.normal, SHAPE).read(&silent);
    assert!(!rank(&evidence, &shop.graph, &Alert { node: "front".to_owned(), kind: None }).stands_out);
    let short = shop.normal.window(0, 10);
    assert!(Normality::learn(&short, SHAPE).read(&shop.incident).nodes.values().all(|n| n.troubles.is_empty()));
}
