//! One node as a process of its own: the product's `serve`, on the run's clock.

use crate::clock;
use picket_coordinator::{NodeConfig, RaftTimers, serve};
use picket_state_machine::Settings;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

/// What a node process is told.
#[derive(Clone, Debug, clap::Args)]
pub struct NodeOptions {
    /// Its id.
    #[arg(long)]
    pub id: u64,
    /// Where it listens.
    #[arg(long)]
    pub listen: String,
    /// Where each node is, itself included.
    #[arg(long = "peer", value_name = "ID=HOST:PORT", value_parser = peer)]
    pub peers: Vec<(u64, String)>,
    /// Its data.
    #[arg(long)]
    pub data: PathBuf,
    /// Certificates.
    #[arg(long)]
    pub pki: PathBuf,
}

fn peer(text: &str) -> Result<(u64, String), String> {
    let (id, address) = text.split_once('=').ok_or("expected ID=HOST:PORT")?;
    Ok((id.parse().map_err(|e| format!("{id}: {e}"))?, address.to_owned()))
}

/// Answers are kept for as long as a run may take: everything acknowledged is asked for once more at its end.
const RETENTION_MS: i64 = 60 * 60_000;

/// Whoever waits in line keeps its place for so long.
pub const WAIT_TTL_MS: i64 = 2_000;

/// What all nodes of a run agree on.
#[must_use]
pub fn settings() -> Settings {
    Settings { demonstration: true, request_retention_ms: RETENTION_MS, wait_ttl_ms: WAIT_TTL_MS, ..Settings::default() }
}

/// Serves until it is killed, or whoever started it is gone.
///
/// # Errors
/// When it cannot start, or its Raft ends by itself.
pub async fn run(options: NodeOptions) -> io::Result<()> {
    let config = NodeConfig {
        id: options.id,
        listen: options.listen,
        peers: options.peers.into_iter().collect::<BTreeMap<_, _>>(),
        data_dir: options.data,
        pki_dir: options.pki,
        settings: settings(),
        clock: Arc::new(clock::now),
        bootstrap: options.id == 1,
        // Snapshots and purges often enough to happen in a minute.
        timers: RaftTimers { snapshot_every: 1_000, entries_kept: 200, ..RaftTimers::default() },
    };
    let node = serve(config).await.map_err(io::Error::other)?;
    let parent_gone = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0]));
    tokio::select! {
        _ = parent_gone => {
            node.shutdown().await;
            Ok(())
        }
        why = node.ended() => Err(io::Error::other(why)),
    }
}
