//! openraft's runtime seam, on the executor of this crate.

use crate::executor::{self, Sleep};
use openraft::async_runtime::{AsyncRuntime, Instant};
use openraft::{OptionalSend, TokioRuntime};
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// A point of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualInstant(u64);

const fn ns(duration: Duration) -> u64 {
    // 584 years: no timer of a run reaches it.
    duration.as_nanos() as u64
}

impl Add<Duration> for VirtualInstant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(ns(rhs)))
    }
}

impl AddAssign<Duration> for VirtualInstant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for VirtualInstant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(ns(rhs)))
    }
}

impl SubAssign<Duration> for VirtualInstant {
    fn sub_assign(&mut self, rhs: Duration) {
        *self = *self - rhs;
    }
}

impl Sub for VirtualInstant {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(rhs.0))
    }
}

impl Instant for VirtualInstant {
    fn now() -> Self {
        Self(executor::now_ns())
    }
}

/// The task ended before it gave its result: its node was killed.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was killed")
    }
}

/// Waits for a task's result. Dropping it leaves the task running.
#[derive(Debug)]
pub struct JoinHandle<T>(oneshot::Receiver<T>);

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Killed>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| Killed)
    }
}

/// The deadline passed.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed")
    }
}

/// A future with a deadline.
pub struct Timeout<F> {
    work: Pin<Box<F>>,
    sleep: Sleep,
}

impl<R, F: Future<Output = R>> Future for Timeout<F> {
    type Output = Result<R, Elapsed>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(done) = self.work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        Pin::new(&mut self.sleep).poll(cx).map(|()| Err(Elapsed))
    }
}

/// The runtime: everything on one thread, in virtual time, drawn from one seed.
#[derive(Debug)]
pub struct SimRuntime;

impl AsyncRuntime for SimRuntime {
    type JoinError = Killed;
    type JoinHandle<T: OptionalSend + 'static> = JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = VirtualInstant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = rand::rngs::SmallRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        let (tx, rx) = oneshot::channel();
        executor::spawn_for(executor::current_owner(), async move {
            // Nobody may be waiting for it.
            let _ = tx.send(future.await);
        });
        JoinHandle(rx)
    }

    fn sleep(duration: Duration) -> Sleep {
        // Zero would be no yield at all.
        executor::sleep_until_ns(executor::now_ns().saturating_add(ns(duration).max(1)))
    }

    fn sleep_until(deadline: VirtualInstant) -> Sleep {
        executor::sleep_until_ns(deadline.0)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Timeout<F> {
        Timeout { work: Box::pin(future), sleep: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: VirtualInstant, future: F) -> Timeout<F> {
        Timeout { work: Box::pin(future), sleep: Self::sleep_until(deadline) }
    }

    fn is_panic(_: &Killed) -> bool {
        false
    }

    fn thread_rng() -> rand::rngs::SmallRng {
        executor::draw()
    }

    fn new(_threads: usize) -> Self {
        Self
    }

    fn block_on<F: Future<Output = T>, T>(&mut self, future: F) -> T {
        // openraft only blocks in its own tests.
        let mut future = pin!(future);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return done;
            }
        }
    }

    async fn spawn_blocking<F, T>(f: F) -> Result<T, io::Error>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(f())
    }
}
