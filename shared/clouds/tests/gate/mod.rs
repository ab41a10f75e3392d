//! What stands between an executor and its cloud in the tests: it lets calls through, loses them, or holds them on their way.

use picket_clouds::Clock;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Nothing here takes as long.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What happens to one call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    Lose,
    /// It is done, and the answer never arrives.
    LoseAnswer,
    /// It is on its way until it is released.
    Hold,
    /// It is refused or breaks with this status and this code.
    Answer(u16, &'static str),
}

/// Who may pass.
#[derive(Debug)]
pub struct Gate {
    armed: Mutex<Option<(usize, Fault)>>,
    reached: watch::Sender<bool>,
    released: watch::Sender<bool>,
    done: watch::Sender<bool>,
}

/// How a call goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the cloud and back.
    Through,
    /// Nowhere.
    Lost,
    /// To the cloud, and its answer nowhere.
    Unanswered,
    /// To the cloud and back, late; say so when it was done.
    Late,
    /// Back at once.
    Back(u16, &'static str),
}

impl Default for Gate {
    fn default() -> Self {
        let signal = || watch::channel(false).0;
        Self { armed: Mutex::new(None), reached: signal(), released: signal(), done: signal() }
    }
}

impl Gate {
    /// The call after `after` others meets the fault.
    pub fn arm(&self, after: usize, fault: Fault) {
        for signal in [&self.reached, &self.released, &self.done] {
            signal.send_replace(false);
        }
        *self.armed.lock().unwrap() = Some((after, fault));
    }

    /// Nothing happens to the calls from now on.
    pub fn disarm(&self) {
        *self.armed.lock().unwrap() = None;
    }

    /// Called once per call, before it goes on.
    pub async fn pass(&self) -> Way {
        let fault = {
            let mut armed = self.armed.lock().unwrap();
            match armed.take() {
                Some((0, fault)) => fault,
                Some((left, fault)) => {
                    *armed = Some((left - 1, fault));
                    return Way::Through;
                }
                None => return Way::Through,
            }
        };
        match fault {
            Fault::Lose => {
                self.reached.send_replace(true);
                Way::Lost
            }
            Fault::LoseAnswer => Way::Unanswered,
            Fault::Answer(status, code) => Way::Back(status, code),
            Fault::Hold => {
                let mut released = self.released.subscribe();
                self.reached.send_replace(true);
                released.wait_for(|released| *released).await.unwrap();
                Way::Late
            }
        }
    }

    /// A call that was to be lost or held has got there.
    pub fn reach(&self) {
        self.reached.send_replace(true);
    }

    /// A held call has been done, or refused.
    pub fn finish(&self) {
        self.done.send_replace(true);
    }

    /// Waits until the fault was met, or `other` is over: then that.
    pub async fn met_or<T>(&self, other: impl Future<Output = T>) -> Option<T> {
        let mut reached = self.reached.subscribe();
        tokio::time::timeout(LIMIT, async {
            tokio::select! {
                biased;
                _ = reached.wait_for(|reached| *reached) => None,
                ended = other => Some(ended),
            }
        })
        .await
        .expect("the call comes, or the act ends")
    }

    /// Lets the held call go on, and waits until it is done.
    pub async fn release(&self) {
        let mut done = self.done.subscribe();
        self.released.send_replace(true);
        tokio::time::timeout(LIMIT, done.wait_for(|done| *done)).await.expect("the held call is done").unwrap();
    }
}

/// A clock that moves when somebody waits for it.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub fn at(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_s(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn wait_s(&self, seconds: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.advance(i64::try_from(seconds).unwrap());
        Box::pin(std::future::ready(()))
    }
}
