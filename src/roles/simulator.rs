//! `picket simulator`: one simulated cluster (for demo and tests): telemetry out, Kubernetes API in.

use crate::demo::Layout;
use crate::wiring::{Wiring, secret};
use anyhow::Context as _;
use picket_core::ids::ClusterName;
use picket_loadtest::kubernetes_api::ApiTokens;
use picket_loadtest::process::SimConfig;
use picket_loadtest::scenario::{Scenario, schedule};
use std::path::Path;

/// Baselines learn for this long, event time, before the first fault.
pub const WARMUP_S: f64 = 75.0;

/// What the simulator is told.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulatorOptions {
    /// Which of the configured clusters.
    #[arg(long)]
    pub cluster: String,
    /// Every cluster of the run: faults are shared out among them.
    #[arg(long, value_delimiter = ',')]
    pub clusters: Vec<String>,
    /// Seed.
    #[arg(long)]
    pub seed: u64,
    /// What happens.
    #[arg(long)]
    pub scenario: Scenario,
    /// Its own door: ground truth and pages. Never given to picket.
    #[arg(long)]
    pub control: String,
    /// Length of the script, event time.
    #[arg(long)]
    pub duration_s: u64,
}

/// Runs until it is asked to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring, options: &SimulatorOptions, config_file: &Path) -> anyhow::Result<()> {
    let cluster = wiring.cluster(&options.cluster)?;
    let dir = config_file.parent().context("the configuration file lies in no folder")?;
    let scenario = options.scenario;
    let names: Vec<ClusterName> = options.clusters.iter().map(|c| c.as_str().into()).collect();
    let config = SimConfig {
        cluster: options.cluster.clone(),
        seed: options.seed,
        clock: wiring.now(),
        start: wiring.clock.now(),
        gateway_http: format!("http://{}", wiring.config.mesh.otlp_http_listen),
        token: secret(&cluster.ingest_token_file)?,
        api_listen: cluster.api_url.trim_start_matches("http://").parse()?,
        api_tokens: ApiTokens { read: secret(&cluster.read_token_file)?, write: secret(&cluster.write_token_file)? },
        control_listen: options.control.parse()?,
        truth_path: Layout::truth_in(dir, &options.cluster),
        plans: schedule(scenario, options.seed, &names, options.duration_s as f64, WARMUP_S),
        parameters: scenario.parameters(),
    };
    picket_loadtest::process::run(config, super::asked_to_end()).await?;
    Ok(())
}
