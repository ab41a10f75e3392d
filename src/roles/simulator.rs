//! `picket simulator`: one simulated cluster (for demo and tests): telemetry out, Kubernetes API in.

use crate::demo::Layout;
use crate::wiring::{Wiring, secret};
use anyhow::Context as _;
use picket_loadtest::{SimConfig, kubernetes_api::ApiTokens};
use std::path::Path;

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
    pub scenario: String,
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
    let config = SimConfig {
        cluster: options.cluster.clone(),
        clusters: options.clusters.clone(),
        seed: options.seed,
        clock: wiring.now(),
        gateway_http: format!("http://{}", wiring.config.mesh.otlp_http_listen),
        token: secret(&cluster.ingest_token_file)?,
        api_listen: cluster.api_url.trim_start_matches("http://").to_owned(),
        api_tokens: ApiTokens { read: secret(&cluster.read_token_file)?, write: secret(&cluster.write_token_file)? },
        truth_path: Layout::truth_in(dir, &options.cluster),
        scenario: options.scenario.clone(),
        duration_s: options.duration_s as i64,
    };
    picket_loadtest::run(config, super::asked_to_end()).await?;
    Ok(())
}
