//! The way by which commands go to one node: a connection that is made when it is needed, and made anew when it broke.

use bytes::Bytes;
use picket_coordinator_transport::client::{ALPN, ask};
use picket_coordinator_transport::connection::{Connection, Lost};
use picket_coordinator_transport::frame::{FRAME_MAX_BYTES, Frame, Incoming};
use rustls::pki_types::ServerName;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Deadline of connecting, handshake included.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// A call that has waited for so long asks whether anybody is there, and again after as long.
const PING_AFTER: Duration = Duration::from_secs(1);
/// How long the answer to that may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) enum CallError {
    /// There is no connection: nothing was sent.
    Dial(io::Error),
    /// The connection took the call, or not.
    Lost(Lost),
}

/// One node.
pub(crate) struct Line {
    /// `host:port`.
    address: String,
    tls: TlsConnector,
    current: Mutex<Option<Arc<Connection>>>,
    /// One attempt to connect at a time, however many calls wait for it.
    dialing: tokio::sync::Mutex<()>,
}

impl Line {
    /// To `address` (`host:port`), by `tls` with the protocol's name set ([`tls_for_lines`]). Nothing is connected yet.
    pub(crate) fn new(address: &str, tls: TlsConnector) -> Self {
        Self { address: address.to_owned(), tls, current: Mutex::default(), dialing: tokio::sync::Mutex::default() }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Option<Arc<Connection>> {
        self.current().clone().filter(|connection| connection.is_open())
    }

    async fn connection(&self) -> io::Result<Arc<Connection>> {
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let _dialing = self.dialing.lock().await;
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let connection = self.dial().await?;
        *self.current() = Some(connection.clone());
        Ok(connection)
    }

    async fn dial(&self) -> io::Result<Arc<Connection>> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let (host, _) = self.address.rsplit_once(':').ok_or_else(|| invalid(format!("`{}` is not host:port", self.address)))?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|e| invalid(e.to_string()))?;
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection::start(self.tls.connect(name, stream).await?, Incoming::up_to(FRAME_MAX_BYTES)))
    }

    /// Sends a command (the request as JSON), and waits for the answer. A node that says nothing at all any more is given up before `timeout`.
    pub(crate) async fn submit(&self, text: &Bytes, timeout: Duration) -> Result<Frame, CallError> {
        let begun = Instant::now();
        let dialed = tokio::time::timeout(DIAL_TIMEOUT.min(timeout), self.connection()).await;
        let connection = dialed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(CallError::Dial)?;
        let put = |out: &mut Vec<u8>| {
            out.extend_from_slice(text);
            Ok::<_, Infallible>(())
        };
        let sent = connection.send(ask::SUBMIT, put).map_err(CallError::Lost)?;
        tokio::select! {
            biased;
            answer = sent.answer(timeout.saturating_sub(begun.elapsed())) => answer.map_err(CallError::Lost),
            never = ping(&connection) => match never {},
        }
    }
}

/// Asks now and then whether anybody is there: on silence the connection ends, and with it whatever waits for an answer.
async fn ping(connection: &Arc<Connection>) -> Infallible {
    loop {
        tokio::time::sleep(PING_AFTER).await;
        if let Ok(ping) = connection.send(ask::PING, |_: &mut Vec<u8>| Ok::<_, Infallible>(())) {
            // Whoever waits hears of what comes of it.
            let _ = ping.answer(PING_TIMEOUT).await;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(connection) = self.current().take() {
            connection.end("this client has no more to say".to_owned());
        }
    }
}

/// The same identity and trust, for this protocol.
pub(crate) fn tls_for_lines(tls: &rustls::ClientConfig) -> TlsConnector {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    TlsConnector::from(Arc::new(tls))
}
