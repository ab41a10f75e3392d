//! The answering end of a connection.

use crate::frame::{self, Frame, Incoming};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Calls of one connection that are in progress at once; the next is not read before one has ended.
const CALLS_MAX: usize = 1024;
/// Longest that one write may take: a peer that does not read is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer: its kind and its body.
pub struct Answered {
    /// What the body is.
    pub kind: u8,
    /// What is said.
    pub body: Vec<u8>,
}

/// The work of one call.
pub type Working = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Serves a connection that has been greeted until it ends. `begin` is given the calls in the order in which they were sent, and each is
/// begun (polled once) before the next is looked at. With `idle_max`, it ends after so long without a call in progress: the other end may
/// be gone without a word.
///
/// # Errors
/// Why it ended, when the other end did not just close it.
pub async fn run(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut incoming: Incoming,
    idle_max: Option<Duration>,
    mut begin: impl FnMut(Frame) -> Working,
) -> Result<(), String> {
    let mut working = FuturesUnordered::new();
    let mut out = Vec::new();
    loop {
        while working.len() < CALLS_MAX {
            let Some(frame) = incoming.frame().map_err(|e| e.to_string())? else { break };
            let call = frame.call;
            let mut work = begin(frame);
            // Without the scheduler's budget, which could put one call behind another.
            match tokio::task::unconstrained(Once(&mut work)).await {
                Some(answered) => put(&mut out, call, answered)?,
                None => working.push(work.map(move |answered| (call, answered))),
            }
        }
        while let Some(Some((call, answered))) = working.next().now_or_never() {
            put(&mut out, call, answered)?;
        }
        if !out.is_empty() {
            let writing = async {
                stream.write_all(&out).await?;
                stream.flush().await
            };
            tokio::time::timeout(WRITE_TIMEOUT, writing).await.map_err(|_| "it takes no answers".to_owned())?.map_err(|e| e.to_string())?;
            out.clear();
            out.shrink_to(1 << 20);
        }
        let (busy, full) = (!working.is_empty(), working.len() >= CALLS_MAX);
        let idle = idle_max.filter(|_| !busy);
        tokio::select! {
            Some((call, answered)) = working.next(), if busy => put(&mut out, call, answered)?,
            read = incoming.read(&mut stream), if !full => if read.map_err(|e| e.to_string())? == 0 { return Ok(()) },
            () = tokio::time::sleep(idle.unwrap_or_default()), if idle.is_some() => return Ok(()),
        }
    }
}

fn put(out: &mut Vec<u8>, call: u64, answered: Answered) -> Result<(), String> {
    let Answered { kind, body } = answered;
    frame::put(out, call, kind, |out: &mut Vec<u8>| {
        out.extend_from_slice(&body);
        Ok::<_, String>(())
    })
    .map_err(|e| e.to_string())
}

/// Polls once.
struct Once<'a>(&'a mut Working);

impl Future for Once<'_> {
    type Output = Option<Answered>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        // Whoever drives it afterwards polls it again, and is woken then.
        let mut context = Context::from_waker(Waker::noop());
        Poll::Ready(match self.0.poll_unpin(&mut context) {
            Poll::Ready(answered) => Some(answered),
            Poll::Pending => None,
        })
    }
}
