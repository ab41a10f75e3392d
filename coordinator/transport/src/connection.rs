//! The calling end of a connection: many calls at once, each with its answer.

use crate::frame::{self, Frame, FrameError, Incoming};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Bytes that may wait to be written.
const OUTBOX_MAX_BYTES: usize = 32 << 20;
/// Calls that may wait for their answer.
const CALLS_MAX: usize = 4096;
/// Longest that one write may take: a peer that does not read is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A call that ran out on a connection that has been silent for this long ends it: the way there is broken, and TCP notices late.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// It was sent; whether it was done is not known.
    #[error("the connection ended: {0}")]
    Ended(String),
    /// It was sent; whether it was done is not known.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

struct Outbox {
    bytes: Vec<u8>,
    waiting: HashMap<u64, oneshot::Sender<Frame>>,
    calls: u64,
    heard: Instant,
    ended: Option<String>,
}

/// A connection. It ends when it is broken, or told to.
pub struct Connection {
    outbox: Mutex<Outbox>,
    /// There is something to write, or the connection is to end.
    wake: Notify,
}

/// A call that was sent.
pub struct Sent {
    connection: Arc<Connection>,
    call: u64,
    answer: oneshot::Receiver<Frame>,
}

impl Connection {
    /// A connection on a stream that has been greeted; its task runs until the stream ends.
    pub fn start(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, incoming: Incoming) -> Arc<Self> {
        let outbox = Outbox { bytes: Vec::new(), waiting: HashMap::new(), calls: 0, heard: Instant::now(), ended: None };
        let connection = Arc::new(Self { outbox: Mutex::new(outbox), wake: Notify::new() });
        let driven = connection.clone();
        tokio::spawn(async move {
            let why = driven.drive(stream, incoming).await;
            driven.end(why);
        });
        connection
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls can still be made.
    pub fn is_open(&self) -> bool {
        self.outbox().ended.is_none()
    }

    /// Sends a call; `write` appends the body. Calls arrive in the order in which they are sent. Never waits.
    ///
    /// # Errors
    /// When the connection has ended, too much waits, or the body cannot be written. Nothing was sent then.
    pub fn send<E: std::fmt::Display>(self: &Arc<Self>, kind: u8, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Sent, Lost> {
        let (answered, answer) = oneshot::channel();
        let mut outbox = self.outbox();
        if let Some(why) = &outbox.ended {
            return Err(Lost::NotSent(format!("the connection ended: {why}")));
        }
        if outbox.waiting.len() >= CALLS_MAX || outbox.bytes.len() >= OUTBOX_MAX_BYTES {
            return Err(Lost::NotSent("too much waits to be sent or answered already".to_owned()));
        }
        let call = outbox.calls;
        frame::put(&mut outbox.bytes, call, kind, write).map_err(|e: FrameError| Lost::NotSent(e.to_string()))?;
        outbox.calls += 1;
        outbox.waiting.insert(call, answered);
        drop(outbox);
        self.wake.notify_one();
        Ok(Sent { connection: self.clone(), call, answer })
    }

    /// Ends it; whoever waits hears that.
    pub fn end(&self, why: String) {
        let mut outbox = self.outbox();
        outbox.ended.get_or_insert(why);
        outbox.waiting.clear();
        outbox.bytes = Vec::new();
        drop(outbox);
        self.wake.notify_one();
    }

    async fn drive(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, mut incoming: Incoming) -> String {
        let mut out = Vec::new();
        loop {
            {
                let mut outbox = self.outbox();
                if let Some(why) = &outbox.ended {
                    return why.clone();
                }
                std::mem::swap(&mut outbox.bytes, &mut out);
            }
            if !out.is_empty() {
                let writing = async {
                    stream.write_all(&out).await?;
                    stream.flush().await
                };
                match tokio::time::timeout(WRITE_TIMEOUT, writing).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return format!("the other end took nothing for {WRITE_TIMEOUT:?}"),
                }
                out.clear();
                // One large message must not keep its room for ever.
                out.shrink_to(1 << 20);
                continue;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                read = incoming.read(&mut stream) => match read {
                    Ok(0) => return "the other end closed it".to_owned(),
                    Ok(_) => {
                        if let Err(why) = self.deliver(&mut incoming) {
                            return why.to_string();
                        }
                    }
                    Err(error) => return error.to_string(),
                },
            }
        }
    }

    fn deliver(&self, incoming: &mut Incoming) -> Result<(), FrameError> {
        let mut outbox = self.outbox();
        outbox.heard = Instant::now();
        while let Some(frame) = incoming.frame()? {
            if let Some(waiting) = outbox.waiting.remove(&frame.call) {
                // Whoever asked may have given up.
                let _ = waiting.send(frame);
            }
        }
        Ok(())
    }

    fn give_up(&self, call: u64) {
        let silent = {
            let mut outbox = self.outbox();
            outbox.waiting.remove(&call);
            outbox.heard.elapsed()
        };
        if silent > SILENCE_MAX {
            self.end(format!("nothing was heard for {silent:?}"));
        }
    }
}

impl Sent {
    /// Its answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn answer(self, timeout: Duration) -> Result<Frame, Lost> {
        match tokio::time::timeout(timeout, self.answer).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(_)) => Err(Lost::Ended(self.connection.outbox().ended.clone().unwrap_or_default())),
            Err(_) => {
                self.connection.give_up(self.call);
                Err(Lost::Timeout(timeout))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn hello(out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(b"hello");
        Ok(())
    }

    /// Answers every second call only, newest first.
    async fn answers_evens(mut stream: tokio::io::DuplexStream, calls: usize) {
        let mut incoming = Incoming::new();
        let mut found = Vec::new();
        while found.len() < calls {
            incoming.read(&mut stream).await.unwrap();
            while let Some(frame) = incoming.frame().unwrap() {
                found.push(frame);
            }
        }
        let mut out = Vec::new();
        for Frame { call, kind, body } in found.into_iter().rev().filter(|f| f.call % 2 == 0) {
            frame::put(&mut out, call, kind + 1, |out: &mut Vec<u8>| {
                out.extend_from_slice(&body);
                Ok::<_, String>(())
            })
            .unwrap();
        }
        stream.write_all(&out).await.unwrap();
    }

    #[tokio::test]
    async fn each_call_gets_its_own_answer_and_the_rest_hear_of_the_end() {
        let (near, far) = tokio::io::duplex(1024);
        let connection = Connection::start(near, Incoming::new());
        let sent: Vec<_> = (0..10).map(|n| connection.send(n, hello).unwrap()).collect();
        answers_evens(far, 10).await;
        for (n, sent) in sent.into_iter().enumerate() {
            let answer = sent.answer(Duration::from_secs(10)).await;
            if n % 2 == 0 {
                assert_eq!(answer, Ok(Frame { call: n as u64, kind: n as u8 + 1, body: Bytes::from_static(b"hello") }));
            } else {
                assert!(matches!(answer, Err(Lost::Ended(_))), "{answer:?}");
            }
        }
        assert!(!connection.is_open());
        assert!(matches!(connection.send(1, hello), Err(Lost::NotSent(_))));
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (near, _far) = tokio::io::duplex(16);
        let connection = Connection::start(near, Incoming::new());
        let sent: Vec<_> = (0..CALLS_MAX).map(|_| connection.send(1, hello).unwrap()).collect();
        assert!(matches!(connection.send(1, hello), Err(Lost::NotSent(_))));
        drop(sent);
    }
}
