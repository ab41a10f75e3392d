//! `/metrics` of one process, for Prometheus.

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::SocketAddr;
use std::time::Duration;

/// How often what was recorded is drained: histograms would grow without bound while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Records this process's metrics from now on, and serves them until the process ends.
///
/// # Errors
/// When the address cannot be had, or something records already.
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let handle = PrometheusBuilder::new().install_recorder().context("metrics are recorded already")?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot serve metrics on {listen}; choose another --metrics-listen"))?;
    tracing::info!(address = %listener.local_addr()?, "metrics are served");
    let scraped = handle.clone();
    let router = Router::new().route("/metrics", get(async move || scraped.render()));
    tokio::spawn(async move {
        let mut beats = tokio::time::interval(UPKEEP);
        let server = axum::serve(listener, router).into_future();
        tokio::pin!(server);
        loop {
            tokio::select! {
                ended = &mut server => {
                    tracing::error!(?ended, "metrics are no longer served");
                    return;
                }
                _ = beats.tick() => handle.run_upkeep(),
            }
        }
    });
    Ok(())
}
