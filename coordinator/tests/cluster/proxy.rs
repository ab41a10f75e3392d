//! A way to a node that can be held up, as a network holds things up: connections stay, and nothing passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    pub address: String,
    open: Arc<watch::Sender<bool>>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn to(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Arc::new(watch::Sender::new(true));
        let accepted = Arc::new(AtomicUsize::new(0));
        let (node, passing, count) = (node.to_owned(), open.clone(), accepted.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let Ok(far) = TcpStream::connect(&node).await else { continue };
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near_read, far_write, passing.subscribe()));
                tokio::spawn(pass(far_read, near_write, passing.subscribe()));
            }
        });
        Self { address, open, accepted }
    }

    /// Connections that were made through it so far.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// From now on nothing passes, in either direction.
    pub fn hold_up(&self) {
        self.open.send_replace(false);
    }

    /// What was held up arrives, late.
    pub fn let_pass(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}
