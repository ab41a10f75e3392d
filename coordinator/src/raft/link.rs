//! One way to one node: a connection that is made when it is needed, and made anew when it broke.

use super::addresses::AddressBook;
use super::wire::ALPN;
use crate::pki;
use crate::tls::{Identity, TlsError, principal_of};
use picket_coordinator_transport::connection::{Connection, Lost};
use picket_coordinator_transport::frame::{self, Frame, Incoming};
use picket_core::ids::Principal;
use rand::{RngExt as _, SeedableRng as _};
use rustls::pki_types::ServerName;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Deadline of connecting, greeting included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// First and longest pause between two attempts to connect.
const PAUSE_MIN_MS: u64 = 25;
const PAUSE_MAX_MS: u64 = 500;

/// Why a call to a node came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection.
    #[error("node {0} cannot be reached: {1}")]
    Unreachable(u64, String),
    /// The connection, or the answer, was no good.
    #[error("the call to node {0} failed: {1}")]
    Failed(u64, String),
}

/// Says who is calling whom; `(kind, body)` of the first frame. The answer to it must be of kind 0.
pub type Greeting = Arc<dyn Fn(u64) -> (u8, Vec<u8>) + Send + Sync>;

/// Makes connections.
pub struct Dialer {
    tls: TlsConnector,
    addresses: AddressBook,
    greeting: Greeting,
}

impl Dialer {
    /// Connects as `identity` to where the address book says a node is.
    ///
    /// # Errors
    /// When the identity cannot be used.
    pub fn new(identity: &Identity, addresses: AddressBook, greeting: Greeting) -> Result<Self, TlsError> {
        let mut config = identity.client()?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), addresses, greeting })
    }

    async fn dial(&self, node: u64) -> Result<Arc<Connection>, String> {
        let address = self.addresses.of(node).ok_or("its address is not known here")?;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|e| format!("{address}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        // The certificate must be that node's, wherever the address led.
        let name = ServerName::try_from(pki::node_host(node)).map_err(|e| e.to_string())?;
        let mut stream = self.tls.connect(name, stream).await.map_err(|e| format!("{address}: {e}"))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|c| c.first()).ok_or("it showed no certificate")?;
        match principal_of(shown) {
            Ok(Principal::Node(shown)) if shown == node => {}
            other => return Err(format!("{address} is {other:?}, not node {node}")),
        }
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(format!("{address} does not speak {}", String::from_utf8_lossy(ALPN)));
        }
        let incoming = self.greet(&mut stream, node).await?;
        Ok(Connection::start(stream, incoming))
    }

    async fn greet(&self, stream: &mut TlsStream<TcpStream>, node: u64) -> Result<Incoming, String> {
        let (kind, body) = (self.greeting)(node);
        let mut out = Vec::new();
        frame::put(&mut out, 0, kind, |out: &mut Vec<u8>| {
            out.extend_from_slice(&body);
            Ok::<_, String>(())
        })
        .map_err(|e| e.to_string())?;
        stream.write_all(&out).await.map_err(|e| e.to_string())?;
        stream.flush().await.map_err(|e| e.to_string())?;
        let mut incoming = Incoming::new();
        loop {
            if let Some(Frame { kind, body, .. }) = incoming.frame().map_err(|e| e.to_string())? {
                incoming.greeted();
                return if kind == 0 { Ok(incoming) } else { Err(String::from_utf8_lossy(&body).into_owned()) };
            }
            if incoming.read(stream).await.map_err(|e| e.to_string())? == 0 {
                return Err("it closed the connection without a word".to_owned());
            }
        }
    }
}

/// What is known of attempts that failed.
struct Failures {
    pause_ms: u64,
    not_before: Option<(Instant, String)>,
}

/// One way to one node.
pub struct Link {
    node: u64,
    dialer: Arc<Dialer>,
    current: RwLock<Option<Arc<Connection>>>,
    /// One attempt at a time.
    failures: Mutex<Failures>,
}

impl Link {
    /// To that node; nothing is connected yet.
    pub fn new(node: u64, dialer: Arc<Dialer>) -> Self {
        let failures = Mutex::new(Failures { pause_ms: PAUSE_MIN_MS, not_before: None });
        Self { node, dialer, current: RwLock::default(), failures }
    }

    /// To which node.
    pub const fn node(&self) -> u64 {
        self.node
    }

    fn open(&self) -> Option<Arc<Connection>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|c| c.is_open())
    }

    /// The connection, made anew when there is none.
    ///
    /// # Errors
    /// When it cannot be made, or could not be made a moment ago.
    pub async fn connection(&self) -> Result<Arc<Connection>, CallError> {
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let mut failures = self.failures.lock().await;
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        if let Some((until, why)) = &failures.not_before
            && Instant::now() < *until
        {
            return Err(CallError::Unreachable(self.node, why.clone()));
        }
        let dialed = tokio::time::timeout(DIAL_TIMEOUT, self.dialer.dial(self.node)).await;
        match dialed.unwrap_or_else(|_| Err(format!("no connection within {DIAL_TIMEOUT:?}"))) {
            Ok(connection) => {
                *failures = Failures { pause_ms: PAUSE_MIN_MS, not_before: None };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
                Ok(connection)
            }
            Err(why) => {
                let pause_ms = failures.pause_ms;
                let jittered = jittered_ms(pause_ms);
                *failures = Failures {
                    pause_ms: (pause_ms * 2).min(PAUSE_MAX_MS),
                    not_before: Some((Instant::now() + Duration::from_millis(jittered), why.clone())),
                };
                Err(CallError::Unreachable(self.node, why))
            }
        }
    }

    /// Calls, and waits for the answer.
    ///
    /// # Errors
    /// When there is no connection, or no answer.
    pub async fn call<E: std::fmt::Display>(
        &self,
        kind: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
        timeout: Duration,
    ) -> Result<Frame, CallError> {
        let begun = Instant::now();
        let connection = tokio::time::timeout(timeout, self.connection()).await;
        let connection = connection.map_err(|_| CallError::Unreachable(self.node, format!("no connection within {timeout:?}")))??;
        let sent = connection.send(kind, write).map_err(|e| self.failed(&e))?;
        sent.answer(timeout.saturating_sub(begun.elapsed())).await.map_err(|e| self.failed(&e))
    }

    /// A call that was lost, as an error of this link.
    pub fn failed(&self, lost: &Lost) -> CallError {
        CallError::Failed(self.node, lost.to_string())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(connection) = self.current.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            connection.end("this node has no more to say".to_owned());
        }
    }
}

/// Between half of it and all of it.
fn jittered_ms(pause_ms: u64) -> u64 {
    let mut seed = [0; 8];
    // Without randomness from the system every node waits the same; no more than that.
    let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut seed);
    rand::rngs::SmallRng::seed_from_u64(u64::from_le_bytes(seed)).random_range(pause_ms / 2..=pause_ms)
}
