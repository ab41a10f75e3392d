//! `picket bench graph`: the live service graph, grown to a size and asked for blast radii.

use picket_core::graph::ServiceGraph;
use picket_core::ids::ServiceId;
use picket_core::time::Timestamp;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::Instant;

/// Services that a service calls, at most.
const FAN_OUT: u32 = 4;
/// Questions, and calls on edges that are known, of which the median is reported.
const REPEATS: usize = 2001;

/// How much.
#[derive(Clone, Debug, clap::Args)]
pub struct GraphOptions {
    /// Services.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    services: u32,
    /// Seed of its shape.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What was measured; times on the clock.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GraphReport {
    /// Services.
    pub services: usize,
    /// Edges between them.
    pub edges: usize,
    /// All dependants of one service, direct or not, median over services drawn.
    pub blast_radius_us_p50: f64,
    /// One call on a known edge, median.
    pub update_us_p50: f64,
    /// Dependants of a service, mean: what the question was worth.
    pub dependants_mean: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the report cannot be written as JSON.
pub fn run(options: &GraphOptions) -> anyhow::Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let services: Vec<_> =
        (0..options.services).map(|n| ServiceId::new("bench", &format!("ns-{}", n % 50), &format!("service-{n}"))).collect();
    let mut graph = ServiceGraph::default();
    let mut calls = Vec::new();
    // Who is called comes later in the list, as layers do: no cycles, and the last services carry everybody.
    for caller in 0..options.services {
        graph.observe_service(&services[caller as usize]);
        for _ in 0..rng.random_range(0..=FAN_OUT) {
            let callee = rng.random_range(caller..options.services);
            calls.push((caller as usize, callee as usize));
            graph.observe_call(&services[caller as usize], &services[callee as usize], Timestamp(0), 1);
        }
    }
    let mut drawn = |most: usize| rng.random_range(0..most);
    let (mut asked, mut updated, mut dependants) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REPEATS {
        let service = &services[drawn(services.len())];
        let begun = Instant::now();
        let found = black_box(graph.dependants(service));
        asked.push(begun.elapsed());
        dependants += found.len();
        if let Some((caller, callee)) = (!calls.is_empty()).then(|| calls[drawn(calls.len())]) {
            let begun = Instant::now();
            graph.observe_call(&services[caller], &services[callee], Timestamp(1), 1);
            updated.push(begun.elapsed());
        }
    }
    let median_us = |mut times: Vec<std::time::Duration>| {
        times.sort();
        times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let report = GraphReport {
        services: graph.services().count(),
        edges: graph.snapshot().calls.len(),
        blast_radius_us_p50: median_us(asked),
        update_us_p50: median_us(updated),
        dependants_mean: dependants as f64 / REPEATS as f64,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let GraphReport { services, edges, blast_radius_us_p50, update_us_p50, dependants_mean } = report;
    println!(
        "{services} services, {edges} edges: a blast radius {blast_radius_us_p50:.1} us ({dependants_mean:.0} dependants), a call {update_us_p50:.2} us"
    );
    Ok(())
}
