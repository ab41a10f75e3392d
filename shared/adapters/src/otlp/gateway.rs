//! The servers of the gateway, and the handle on them.

use super::accept::Intake;
use super::rejections::Rejections;
use super::{grpc, http};
use crate::clock::RunClock;
use picket_core::ids::ClusterName;
use picket_core::ports::TelemetryIngestor;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long requests in hand may take to end when the gateway stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    /// The cluster that its telemetry is from.
    pub cluster: ClusterName,
    /// True when it sends recorded telemetry: it goes to `replay.>` and forces Observe.
    pub replay: bool,
}

/// What the gateway listens to and accepts.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// OTLP/gRPC; port 0 takes a free one.
    pub grpc_listen: SocketAddr,
    /// OTLP/HTTP and webhooks; port 0 takes a free one.
    pub http_listen: SocketAddr,
    /// Tokens of senders.
    pub tokens: BTreeMap<String, TokenGrant>,
    /// Most bytes of a body, packed and unpacked alike.
    pub body_max_bytes: usize,
    /// Most requests in hand; more are told to come again.
    pub requests_max: usize,
    /// Event time, for signals that carry none.
    pub clock: RunClock,
}

impl GatewayConfig {
    /// Listens on free ports of 127.0.0.1 with the usual bounds.
    #[must_use]
    pub fn local(tokens: BTreeMap<String, TokenGrant>, clock: RunClock) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { grpc_listen: listen, http_listen: listen, tokens, body_max_bytes: 4 << 20, requests_max: 64, clock }
    }
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error("the gateway cannot listen on {address}: {error}; is another gateway or collector running there?")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A running gateway. Dropping it stops it.
#[derive(Debug)]
pub struct GatewayHandle {
    /// Where OTLP/gRPC listens.
    pub grpc_addr: SocketAddr,
    /// Where OTLP/HTTP and the webhooks listen.
    pub http_addr: SocketAddr,
    rejections: Arc<Rejections>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
}

impl GatewayHandle {
    /// What was turned away, by reason.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.rejections.snapshot()
    }

    /// The counters themselves, which go on counting.
    #[must_use]
    pub fn rejections(&self) -> Arc<Rejections> {
        Arc::clone(&self.rejections)
    }

    /// Takes no more requests and waits until those in hand are answered.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for mut server in self.servers.drain(..) {
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

/// Starts the servers.
///
/// # Errors
/// [`GatewayError::Listen`] when an address is taken.
pub async fn serve<I: TelemetryIngestor + 'static>(config: GatewayConfig, ingestor: Arc<I>) -> Result<GatewayHandle, GatewayError> {
    let intake = Arc::new(Intake::new(&config, ingestor));
    let rejections = Arc::clone(&intake.rejections);
    let (stop, _) = watch::channel(false);
    let (grpc_listener, grpc_addr) = listen(config.grpc_listen).await?;
    let (http_listener, http_addr) = listen(config.http_listen).await?;
    let servers = vec![
        start(grpc_listener, grpc::router(Arc::clone(&intake)), stop.subscribe()),
        start(http_listener, http::router(intake), stop.subscribe()),
    ];
    Ok(GatewayHandle { grpc_addr, http_addr, rejections, stop, servers })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |error| GatewayError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn start(listener: TcpListener, router: axum::Router, mut stop: watch::Receiver<bool>) -> JoinHandle<std::io::Result<()>> {
    tokio::spawn(async move {
        // An error means that the handle was dropped: that stops the server too.
        let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    })
}
