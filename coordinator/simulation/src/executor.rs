//! One thread, virtual time, and a seed that decides which ready task runs next.
//!
//! Every task has an owner: a life of a node, or the world around them. A node that is stopped keeps its tasks and runs none of them
//! while the others' time goes on; a node that is killed loses them at once, wherever they were.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Whose task it is: a node's id, or 0 for the world.
pub type Owner = u64;
/// The tasks of clients, network and nemesis.
pub const WORLD: Owner = 0;

/// Virtual time begins here, so that nobody computes a time before zero.
const START_NS: u64 = 3_600_000_000_000;
/// Of a hundred choices of the next task, how many are not the oldest: orders that a fair scheduler would rarely show.
const OUT_OF_ORDER_PERCENT: u32 = 20;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that are ready, by the poll that woke them and then by number: tokio's channels wake their waiters in an order that they draw
/// themselves, which must not matter.
#[derive(Default)]
struct Ready {
    polls: AtomicU64,
    tasks: Mutex<BTreeSet<(u64, u64)>>,
}

impl Ready {
    fn tasks(&self) -> MutexGuard<'_, BTreeSet<(u64, u64)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: u64) {
        self.tasks().insert((self.polls.load(Ordering::Relaxed), task));
    }
}

struct TaskWaker {
    task: u64,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.task);
        }
    }
}

struct Task {
    owner: Owner,
    /// Absent while it is being polled.
    work: Option<Work>,
    waker: Arc<TaskWaker>,
}

pub(crate) struct Executor {
    now_ns: Cell<u64>,
    next_task: Cell<u64>,
    next_timer: Cell<u64>,
    current: Cell<Owner>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    ready: Arc<Ready>,
    stopped: RefCell<BTreeMap<Owner, Vec<u64>>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    /// Owners that died while one of their own tasks ran: their tasks go when it returns.
    dying: RefCell<BTreeSet<Owner>>,
    order: RefCell<ChaCha8Rng>,
    /// What the code under test draws: election timeouts and the like.
    draws: RefCell<ChaCha8Rng>,
}

thread_local! {
    static RUNNING: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
}

fn running() -> Option<Rc<Executor>> {
    RUNNING.with_borrow(Clone::clone)
}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nobody will ever wake.
    Deadlock,
    /// As many polls as a run may take: somebody spins.
    Spinning,
}

/// Runs `main` to its end, and drops every task that is left.
///
/// # Errors
/// [`Stuck`] when `main` cannot end.
pub fn run(seed: u64, polls_max: u64, main: impl Future<Output = ()> + Send + 'static) -> Result<(), Stuck> {
    let executor = Rc::new(Executor {
        now_ns: Cell::new(START_NS),
        next_task: Cell::new(0),
        next_timer: Cell::new(0),
        current: Cell::new(WORLD),
        tasks: RefCell::default(),
        ready: Arc::default(),
        stopped: RefCell::default(),
        timers: RefCell::default(),
        dying: RefCell::default(),
        order: RefCell::new(ChaCha8Rng::seed_from_u64(seed ^ 0x006f_7264_6572)),
        draws: RefCell::new(ChaCha8Rng::seed_from_u64(seed ^ 0x0064_7261_7773)),
    });
    RUNNING.set(Some(executor.clone()));
    let main_task = executor.spawn(WORLD, Box::pin(main));
    let result = executor.turn_until_done(main_task, polls_max);
    // Tasks hold each other's channels and timers: they end while the executor is still there to be asked.
    loop {
        let Some((_, task)) = executor.tasks.borrow_mut().pop_first() else { break };
        drop(task);
    }
    RUNNING.set(None);
    result
}

/// Forgets a run that ended in a panic. Its tasks are leaked: their ends might panic again.
pub fn abandon() {
    if let Some(executor) = RUNNING.take() {
        std::mem::forget(executor);
    }
}

impl Executor {
    fn spawn(&self, owner: Owner, work: Work) -> u64 {
        let task = self.next_task.get();
        self.next_task.set(task + 1);
        let waker = Arc::new(TaskWaker { task, queued: AtomicBool::new(false), ready: self.ready.clone() });
        self.tasks.borrow_mut().insert(task, Task { owner, work: Some(work), waker: waker.clone() });
        waker.wake();
        task
    }

    fn pick(&self) -> Option<u64> {
        let mut ready = self.ready.tasks();
        if ready.len() < 2 {
            return ready.pop_first().map(|(_, task)| task);
        }
        let mut order = self.order.borrow_mut();
        let at = if order.random_range(0..100) < OUT_OF_ORDER_PERCENT { order.random_range(0..ready.len()) } else { 0 };
        let picked = ready.iter().nth(at).copied()?;
        ready.remove(&picked);
        Some(picked.1)
    }

    fn polls(&self) -> u64 {
        self.ready.polls.load(Ordering::Relaxed)
    }

    fn turn_until_done(&self, main_task: u64, polls_max: u64) -> Result<(), Stuck> {
        loop {
            while let Some(task) = self.pick() {
                self.poll(task);
                if !self.tasks.borrow().contains_key(&main_task) {
                    return Ok(());
                }
                if self.polls() > polls_max {
                    return Err(Stuck::Spinning);
                }
            }
            let Some(((at, _), first)) = self.timers.borrow_mut().pop_first() else { return Err(Stuck::Deadlock) };
            self.now_ns.set(at.max(self.now_ns.get()));
            first.wake();
        }
    }

    fn poll(&self, id: u64) {
        let (owner, mut work, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            let Some(task) = tasks.get_mut(&id) else { return };
            if let Some(held) = self.stopped.borrow_mut().get_mut(&task.owner) {
                held.push(id);
                return;
            }
            task.waker.queued.store(false, Ordering::Relaxed);
            let Some(work) = task.work.take() else { return };
            (task.owner, work, task.waker.clone())
        };
        self.ready.polls.fetch_add(1, Ordering::Relaxed);
        let before = self.current.replace(owner);
        let polled = work.as_mut().poll(&mut Context::from_waker(&Waker::from(waker)));
        self.current.set(before);
        let dead = self.dying.borrow_mut().remove(&owner);
        match polled {
            Poll::Pending if !dead => {
                if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
                    task.work = Some(work);
                }
            }
            _ => {
                self.tasks.borrow_mut().remove(&id);
                drop(work);
            }
        }
        if dead {
            self.drop_tasks_of(owner);
        }
    }

    fn drop_tasks_of(&self, owner: Owner) {
        self.stopped.borrow_mut().remove(&owner);
        loop {
            let next = self.tasks.borrow().iter().find(|(_, t)| t.owner == owner).map(|(id, _)| *id);
            let Some(id) = next else { return };
            let gone = self.tasks.borrow_mut().remove(&id);
            // Its end may wake others, or take timers back: nothing is borrowed here.
            drop(gone);
        }
    }
}

/// Virtual time in nanoseconds; 0 outside of a run.
#[must_use]
pub fn now_ns() -> u64 {
    running().map_or(0, |e| e.now_ns.get())
}

/// Milliseconds since the run began.
#[must_use]
pub fn elapsed_ms() -> u64 {
    now_ns().saturating_sub(START_NS) / 1_000_000
}

/// Polls so far.
#[must_use]
pub fn polls() -> u64 {
    running().map_or(0, |e| e.polls())
}

/// A generator for the code under test, seeded from the run's.
#[must_use]
pub fn draw() -> rand::rngs::SmallRng {
    let seed = running().map_or(0, |e| e.draws.borrow_mut().random());
    rand::rngs::SmallRng::seed_from_u64(seed)
}

/// The owner of the task that runs now.
#[must_use]
pub fn current_owner() -> Owner {
    running().map_or(WORLD, |e| e.current.get())
}

/// Starts a task. Outside of a run it is dropped at once.
pub fn spawn_for(owner: Owner, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(executor) = running() {
        executor.spawn(owner, Box::pin(work));
    }
}

/// From now on none of the owner's tasks runs.
pub fn stop(owner: Owner) {
    if let Some(executor) = running() {
        executor.stopped.borrow_mut().entry(owner).or_default();
    }
}

/// The owner's tasks run again; how many there were to hold back.
pub fn go_on(owner: Owner) -> usize {
    let Some(executor) = running() else { return 0 };
    let held = executor.stopped.borrow_mut().remove(&owner).unwrap_or_default();
    held.iter().for_each(|task| executor.ready.push(*task));
    held.len()
}

/// Ends every task of the owner, also the one that runs now.
pub fn kill(owner: Owner) {
    let Some(executor) = running() else { return };
    if executor.current.get() == owner {
        executor.dying.borrow_mut().insert(owner);
    } else {
        executor.drop_tasks_of(owner);
    }
}

/// Ready at a point of virtual time.
#[derive(Debug)]
pub struct Sleep {
    at_ns: u64,
    timer: Option<(u64, u64)>,
}

/// Sleeps until `at_ns`, in virtual time.
#[must_use]
pub const fn sleep_until_ns(at_ns: u64) -> Sleep {
    Sleep { at_ns, timer: None }
}

/// Sleeps for milliseconds of virtual time.
pub fn sleep_ms(ms: u64) -> Sleep {
    sleep_until_ns(now_ns().saturating_add(ms.saturating_mul(1_000_000)))
}

/// Sleeps for microseconds of virtual time.
pub fn sleep_us(us: u64) -> Sleep {
    sleep_until_ns(now_ns().saturating_add(us.saturating_mul(1_000)))
}

impl Sleep {
    fn forget(&mut self) {
        if let (Some(timer), Some(executor)) = (self.timer.take(), running()) {
            executor.timers.borrow_mut().remove(&timer);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(executor) = running() else { return Poll::Pending };
        self.forget();
        if executor.now_ns.get() >= self.at_ns {
            return Poll::Ready(());
        }
        let timer = (self.at_ns, executor.next_timer.get());
        executor.next_timer.set(timer.1 + 1);
        executor.timers.borrow_mut().insert(timer, cx.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}
