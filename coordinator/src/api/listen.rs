//! Accepts connections: the handshake proves who calls before a byte of a request is read.

use super::places::Places;
use super::{Caller, Node, client_calls, node_calls};
use crate::raft::wire::ALPN;
use crate::tls::principal_of;
use axum::Router;
use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use picket_coordinator_transport::client;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Handshakes at once, of callers that are not known yet; the next waits in the system's queue.
const HANDSHAKES_MAX: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `stop`; then connections are dropped at once, since every caller retries.
pub async fn run(listener: TcpListener, tls: Arc<rustls::ServerConfig>, node: Arc<Node>, stop: CancellationToken) {
    let router = super::router(node.clone());
    let acceptor = TlsAcceptor::from(tls);
    let (handshakes, places) = (Arc::new(Semaphore::new(HANDSHAKES_MAX)), Places::default());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &handshakes) => accepted,
        };
        let Some((stream, handshake)) = accepted else { continue };
        let (acceptor, router, node, places) = (acceptor.clone(), router.clone(), node.clone(), places.clone());
        connections.spawn(async move {
            let ended = match shake_hands(stream, acceptor).await {
                Ok((stream, caller)) => {
                    drop(handshake);
                    connection(stream, caller, &places, router, node).await
                }
                Err(why) => Err(why),
            };
            if let Err(why) = ended {
                tracing::debug!(why, "a connection ended");
            }
        });
    }
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener, handshakes: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let handshake = handshakes.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, handshake)),
        Err(error) => {
            // Out of file descriptors, most likely: others will close theirs.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn shake_hands(stream: TcpStream, acceptor: TlsAcceptor) -> Result<(TlsStream<TcpStream>, Caller), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))
        .await
        .map_err(|_| "the handshake took too long".to_owned())?
        .map_err(|e| format!("the handshake failed: {e}"))?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().ok_or("no certificate was shown")?;
    let caller = Caller(principal_of(certificate).map_err(|e| e.to_string())?);
    Ok((stream, caller))
}

async fn connection(stream: TlsStream<TcpStream>, caller: Caller, places: &Places, router: Router, node: Arc<Node>) -> Result<(), String> {
    let Some(_place) = places.take(&caller.0) else {
        metrics::counter!("picket_coordinator_connections_refused_total").increment(1);
        return Err(format!("{} has too many connections, or everybody together has", caller.0));
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(ALPN) => return node_calls::serve(node, &caller.0, stream).await,
        Some(client::ALPN) => return client_calls::serve(node, caller.0, stream).await,
        _ => {}
    }
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(caller.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(5));
    builder.serve_connection(TokioIo::new(stream), service).await.map_err(|e| e.to_string())
}
