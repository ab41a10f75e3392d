//! The dashboard's server: tells the page what the coordinator and the bus say, and takes its buttons to the coordinator.
//!
//! It holds no write credentials and decides nothing. What it shows is a projection ([`project`]), what it sends are commands
//! in the name of a person ([`acts`]).

pub mod acts;
mod assets;
pub mod delta;
pub mod entry_view;
pub mod feed;
pub mod guard;
pub mod incident_view;
pub mod listen;
pub mod project;
mod routes;
pub mod wire;
pub mod words;

use feed::Feed;
use guard::Hosts;
use listen::{Listener, RunClock};
use picket_core::phase::GateRule;
use picket_core::ports::{Bus, Coordinator};
use project::{Heard, Terms};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

/// How the dashboard runs.
#[derive(Clone, Debug)]
pub struct DashboardConfig {
    /// Where to listen; port 0 takes a free one. Loopback, unless `hosts` names what the page is reached by.
    pub listen: SocketAddr,
    /// `NAME:PORT` by which the page may be asked for beside the loopback names (a published container port).
    pub hosts: Vec<String>,
    /// In whose name the buttons act, as the page says it (`human:kim`).
    pub person: String,
    /// What the gate asks for.
    pub gate: GateRule,
    /// Pause between two looks, real time.
    pub poll_ms: u64,
    /// Telemetry older than this (run clock) is shown as late.
    pub fresh_within_ms: i64,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            hosts: Vec::new(),
            person: "human:operator".to_owned(),
            gate: GateRule::default(),
            poll_ms: 500,
            fresh_within_ms: 60_000,
        }
    }
}

/// Why the dashboard does not run.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// The address is reachable from elsewhere, and the page has no sign-in.
    #[error(
        "the dashboard has no sign-in yet and would be reachable from elsewhere on {0}: listen on 127.0.0.1, or name the hosts it is reached by"
    )]
    Exposed(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {listen}: {source}; choose another address or stop what listens there")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server broke off.
    #[error("the dashboard's server ended: {0}")]
    Server(#[from] std::io::Error),
}

/// A dashboard that listens and does not answer yet.
pub struct Dashboard {
    listener: TcpListener,
    address: SocketAddr,
    config: DashboardConfig,
}

impl Dashboard {
    /// Takes the address.
    ///
    /// # Errors
    /// When it is not loopback and no hosts are named, or cannot be had.
    pub async fn bind(config: DashboardConfig) -> Result<Self, DashboardError> {
        let listen = config.listen;
        if !listen.ip().is_loopback() && config.hosts.is_empty() {
            return Err(DashboardError::Exposed(listen));
        }
        let listener = TcpListener::bind(listen).await.map_err(|source| DashboardError::Listen { listen, source })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, config })
    }

    /// Where the page is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`. `reader` sees what the dashboard may see; `human` acts in the person's name; `clock` is the run clock.
    ///
    /// # Errors
    /// When the server breaks off.
    pub async fn run<C, H, B>(
        self,
        reader: Arc<C>,
        human: Arc<H>,
        bus: Arc<B>,
        clock: RunClock,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), DashboardError>
    where
        C: Coordinator + 'static,
        H: Coordinator + 'static,
        B: Bus + 'static,
    {
        let terms = Terms { gate: self.config.gate, person: self.config.person, fresh_within_ms: self.config.fresh_within_ms };
        let now = clock();
        let first = u64::try_from(now.0).unwrap_or(0);
        let feed = Arc::new(Feed::new(first, project::snapshot(&Heard::default(), &terms, now)));
        let nudge = Arc::new(Notify::new());
        let hosts = Hosts::new(self.address, &self.config.hosts);
        let (close, closing) = watch::channel(false);
        let buttons = acts::Buttons { human, feed: feed.clone(), nudge: nudge.clone() };
        let router = routes::router(buttons, hosts, closing);
        let listener = Listener { coordinator: reader, bus, clock, terms, feed, nudge };
        let server = axum::serve(self.listener, router).with_graceful_shutdown(async move {
            shutdown.await;
            // Listening pages would hold a graceful end for ever.
            _ = close.send(true);
        });
        tokio::select! {
            ended = server => Ok(ended?),
            () = listener.run(Duration::from_millis(self.config.poll_ms.max(50))) => Ok(()),
        }
    }
}

/// Binds and serves until `shutdown`: [`Dashboard::bind`], then [`Dashboard::run`].
///
/// # Errors
/// As those.
pub async fn serve<C, H, B>(
    config: DashboardConfig,
    reader: Arc<C>,
    human: Arc<H>,
    bus: Arc<B>,
    clock: RunClock,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), DashboardError>
where
    C: Coordinator + 'static,
    H: Coordinator + 'static,
    B: Bus + 'static,
{
    Dashboard::bind(config).await?.run(reader, human, bus, clock, shutdown).await
}
