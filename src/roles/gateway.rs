//! `picket gateway`: OTLP and webhooks in, JetStream out.

use crate::wiring::{Wiring, secret};
use anyhow::Context as _;
use picket_adapters::otlp::{BusIngestor, GatewayConfig, TokenGrant, serve};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests in hand at once; more are told to come again.
const REQUESTS_MAX: usize = 64;
/// Ending of the file beside a cluster's ingest token that holds its token for recorded telemetry.
pub const REPLAY_TOKEN_SUFFIX: &str = ".replay";

/// Runs until it is asked to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring) -> anyhow::Result<()> {
    wiring.require_built()?;
    let mesh = &wiring.config.mesh;
    let mut tokens = BTreeMap::new();
    for cluster in &mesh.clusters {
        let grant = |replay| TokenGrant { cluster: cluster.name.as_str().into(), replay };
        tokens.insert(secret(&cluster.ingest_token_file)?, grant(false));
        let replay_file = format!("{}{REPLAY_TOKEN_SUFFIX}", cluster.ingest_token_file);
        if std::path::Path::new(&replay_file).exists() {
            tokens.insert(secret(&replay_file)?, grant(true));
        }
    }
    let listen = |key: &str, text: &str| text.parse().with_context(|| format!("mesh.{key}: `{text}` is not host:port"));
    let config = GatewayConfig {
        grpc_listen: listen("otlp_grpc_listen", &mesh.otlp_grpc_listen)?,
        http_listen: listen("otlp_http_listen", &mesh.otlp_http_listen)?,
        tokens,
        body_max_bytes: usize::try_from(wiring.config.gateway.body_max_bytes)?,
        requests_max: REQUESTS_MAX,
        clock: wiring.clock,
    };
    let ingestor = BusIngestor::new(Arc::new(wiring.bus().await?), wiring.config.gateway.buffer_batches_max);
    let gateway = serve(config, Arc::new(ingestor)).await?;
    tracing::info!(grpc = %gateway.grpc_addr, http = %gateway.http_addr, "gateway is up");
    super::asked_to_end().await;
    gateway.shutdown().await;
    Ok(())
}
