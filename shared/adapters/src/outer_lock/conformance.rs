//! The suite of `OuterLock`: what the lock in memory, etcd and Redis MUST all do.

use picket_core::ports::{OuterGrant, OuterLock};
use picket_core::scope::Scope;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the suite needs of a lock server beside the lock itself.
pub trait LockBench {
    /// The implementation.
    type Lock: OuterLock + Clone + 'static;
    /// A short TTL that the server keeps to.
    fn ttl_ms(&self) -> u64;
    /// A client of its own, as another process has one.
    fn client(&self) -> Self::Lock;
    /// Takes the lock away from whoever holds it, as an administrator could.
    fn revoke(&self, scope: &Scope) -> impl Future<Output = ()>;
    /// Ends the server.
    fn stop(&mut self) -> impl Future<Output = ()>;
}

/// A TTL that does not end while a step of the suite runs.
const LONG_MS: u64 = 60_000;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Runs the whole suite on an empty server, and stops it.
///
/// # Panics
/// With what the implementation missed.
pub async fn outer_lock<B: LockBench>(bench: &mut B) {
    is_exclusive(bench).await;
    gives_the_same_request_the_same_grant(bench).await;
    is_released_by_its_holder_only(bench).await;
    passes_on_when_its_holder_dies(bench).await;
    is_kept_by_renewing(bench).await;
    says_when_it_was_taken_away(bench).await;
    keeps_names_apart(bench).await;
    never_has_two_holders(bench).await;
    is_lost_when_the_server_is_gone(bench).await;
}

fn scope(name: &str) -> Scope {
    Scope::Namespace("suite".into(), name.to_owned())
}

async fn take<L: OuterLock>(lock: &L, scope: &Scope, holder: &str, ttl_ms: u64) -> OuterGrant {
    lock.acquire(scope, holder, ttl_ms).await.expect("acquire").unwrap_or_else(|| panic!("{scope} is free: {holder} MUST get it"))
}

async fn is_refused<L: OuterLock>(lock: &L, scope: &Scope, holder: &str) -> bool {
    lock.acquire(scope, holder, LONG_MS).await.expect("acquire").is_none()
}

/// Asks until the lock is free.
async fn wait_for<L: OuterLock>(lock: &L, scope: &Scope, holder: &str, ttl_ms: u64) -> OuterGrant {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(grant) = lock.acquire(scope, holder, ttl_ms).await.expect("acquire") {
            return grant;
        }
        assert!(Instant::now() < deadline, "{scope} MUST become free within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}

async fn is_exclusive<B: LockBench>(bench: &B) {
    let (one, two, scope) = (bench.client(), bench.client(), scope("exclusive"));
    assert_eq!(one.remaining_ms(&scope, "a"), 0, "nothing is held before it is taken");
    take(&one, &scope, "a", LONG_MS).await;
    let remaining_ms = one.remaining_ms(&scope, "a");
    assert!((1..=LONG_MS).contains(&remaining_ms), "{remaining_ms} ms of {LONG_MS}");
    assert!(is_refused(&two, &scope, "b").await, "a second holder MUST be refused");
    assert!(is_refused(&one, &scope, "b").await, "a second holder MUST be refused by the first one's client as well");
    assert_eq!(two.remaining_ms(&scope, "b"), 0, "what was refused is not held");
    assert!(!two.renew(&scope, "b", LONG_MS).await.expect("renew"), "renewing MUST NOT take");
    assert!(one.renew(&scope, "a", LONG_MS).await.expect("renew"), "asking MUST NOT disturb the holder");
    one.release(&scope, "a").await.expect("release");
    assert!(!two.renew(&scope, "b", LONG_MS).await.expect("renew"), "renewing MUST NOT take what is free either");
    take(&two, &scope, "b", LONG_MS).await;
    two.release(&scope, "b").await.expect("release");
}

async fn gives_the_same_request_the_same_grant<B: LockBench>(bench: &B) {
    let (one, again, other, scope) = (bench.client(), bench.client(), bench.client(), scope("same"));
    let first = take(&one, &scope, "a", LONG_MS).await;
    assert_eq!(take(&one, &scope, "a", LONG_MS).await, first, "the same request MUST get the same grant");
    assert_eq!(take(&again, &scope, "a", LONG_MS).await, first, "also on another connection: the first answer may have been lost");
    assert!(is_refused(&other, &scope, "b").await);
    again.release(&scope, "a").await.expect("release");
    take(&other, &scope, "b", LONG_MS).await;
    other.release(&scope, "b").await.expect("release");
}

async fn is_released_by_its_holder_only<B: LockBench>(bench: &B) {
    let (one, two, scope) = (bench.client(), bench.client(), scope("release"));
    let first = take(&one, &scope, "a", LONG_MS).await;
    two.release(&scope, "b").await.expect("releasing what is not held is no error");
    one.release(&scope, "b").await.expect("releasing what is not held is no error");
    assert!(is_refused(&two, &scope, "b").await, "only its holder MUST be able to release it");
    assert!(one.renew(&scope, "a", LONG_MS).await.expect("renew"));
    one.release(&scope, "a").await.expect("release");
    assert_eq!(one.remaining_ms(&scope, "a"), 0, "what was given back is not held");
    assert!(!one.renew(&scope, "a", LONG_MS).await.expect("renew"), "what was given back MUST NOT be renewed");
    let second = take(&two, &scope, "b", LONG_MS).await;
    assert!(
        second.fence >= first.fence && (second.fence > first.fence || first.fence.is_none()),
        "{first:?}, {second:?}: a fence MUST rise"
    );
    one.release(&scope, "a").await.expect("releasing twice is no error");
    assert!(two.renew(&scope, "b", LONG_MS).await.expect("renew"), "an earlier holder MUST NOT release it");
    two.release(&scope, "b").await.expect("release");
}

async fn passes_on_when_its_holder_dies<B: LockBench>(bench: &B) {
    let (one, two, scope) = (bench.client(), bench.client(), scope("dies"));
    let first = take(&one, &scope, "a", bench.ttl_ms()).await;
    let second = wait_for(&two, &scope, "b", LONG_MS).await;
    assert_eq!(one.remaining_ms(&scope, "a"), 0, "the first holder MUST have stopped to count on it before another gets it");
    assert!(
        second.fence >= first.fence && (second.fence > first.fence || first.fence.is_none()),
        "{first:?}, {second:?}: a fence MUST rise"
    );
    assert!(!one.renew(&scope, "a", LONG_MS).await.expect("renew"), "what ran out MUST NOT be renewed");
    one.release(&scope, "a").await.expect("release");
    assert!(two.renew(&scope, "b", LONG_MS).await.expect("renew"));
    two.release(&scope, "b").await.expect("release");
}

/// Three times the TTL long. A machine that stalls for a whole TTL loses the lock by right: then it is tried again.
async fn is_kept_by_renewing<B: LockBench>(bench: &B) {
    let (one, two, scope) = (bench.client(), bench.client(), scope("kept"));
    for _ in 0..10 {
        take(&one, &scope, "a", bench.ttl_ms()).await;
        let kept = keeps(&one, &two, &scope, bench.ttl_ms()).await;
        one.release(&scope, "a").await.expect("release");
        two.release(&scope, "b").await.expect("release");
        if kept {
            return;
        }
    }
    panic!("the machine stalled ten times for a whole TTL: nothing can be said about renewing");
}

/// False when the machine stalled.
async fn keeps<L: OuterLock>(one: &L, two: &L, scope: &Scope, ttl_ms: u64) -> bool {
    let end = Instant::now() + Duration::from_millis(3 * ttl_ms);
    while Instant::now() < end {
        let refused = is_refused(two, scope, "b").await;
        let (left_ms, asked) = (one.remaining_ms(scope, "a"), Instant::now());
        if left_ms == 0 {
            return false;
        }
        assert!(refused, "a lock that is renewed in time MUST NOT pass on");
        if !one.renew(scope, "a", ttl_ms).await.expect("renew") {
            assert!(asked.elapsed() >= Duration::from_millis(left_ms), "renewing in time MUST succeed");
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

async fn says_when_it_was_taken_away<B: LockBench>(bench: &B) {
    let (one, two, scope) = (bench.client(), bench.client(), scope("taken"));
    take(&one, &scope, "a", LONG_MS).await;
    bench.revoke(&scope).await;
    assert!(!one.renew(&scope, "a", LONG_MS).await.expect("renew"), "the holder MUST learn that it was taken away");
    assert_eq!(one.remaining_ms(&scope, "a"), 0, "and not count on it any more");
    assert!(!one.renew(&scope, "a", LONG_MS).await.expect("renew"), "renewing MUST NOT take it anew");
    take(&two, &scope, "b", LONG_MS).await;
    two.release(&scope, "b").await.expect("release");
    take(&one, &scope, "a", LONG_MS).await;
    one.release(&scope, "a").await.expect("release");
}

async fn keeps_names_apart<B: LockBench>(bench: &B) {
    let lock = bench.client();
    let long = "x".repeat(2000);
    let nasty =
        ["shop", "shop2", "shop/", "shop/x", "", "*", "{shop}", "a\r\nDEL b", "\0", "' redis.call('FLUSHALL') --", "é\u{202e}", &long];
    let mut scopes: Vec<Scope> = nasty.iter().map(|name| scope(name)).collect();
    scopes.extend(nasty.iter().map(|name| Scope::Cluster((*name).into())));
    scopes.push(Scope::External("a/b".into(), "c".into()));
    scopes.push(Scope::External("a".into(), "b/c".into()));
    scopes.push(Scope::External("suite".into(), "shop".into()));
    let holders: Vec<String> = (0..scopes.len()).map(|n| format!("{}{n}", nasty[n % nasty.len()])).collect();
    for (scope, holder) in scopes.iter().zip(&holders) {
        take(&lock, scope, holder, LONG_MS).await;
    }
    for (index, (scope, holder)) in scopes.iter().zip(&holders).enumerate() {
        lock.release(scope, holder).await.expect("release");
        for (scope, holder) in scopes.iter().zip(&holders).skip(index + 1) {
            assert!(lock.remaining_ms(scope, holder) > 0);
            // Asking the server of every pair would take a minute on etcd; the next one and the last show a release that reached too far.
            if scope == &scopes[index + 1] || Some(scope) == scopes.last() {
                assert!(lock.renew(scope, holder, LONG_MS).await.expect("renew"), "{scope:?} was released with another scope");
            }
        }
    }
}

/// Who counts on the lock now, and by which client.
type Incumbent<L> = Arc<Mutex<Option<(L, String)>>>;

/// Contenders that take, hold, release, or die holding it: whoever gets the lock looks whether anybody else still counts on it.
async fn never_has_two_holders<B: LockBench>(bench: &B) {
    const CONTENDERS: u64 = 6;
    const TURNS: u64 = 5;
    let (scope, ttl_ms) = (scope("contended"), bench.ttl_ms());
    let incumbent: Incumbent<B::Lock> = Arc::default();
    let contenders: Vec<_> = (0..CONTENDERS)
        .map(|contender| {
            let (lock, scope, incumbent) = (bench.client(), scope.clone(), Arc::clone(&incumbent));
            tokio::spawn(async move {
                for turn in 0..TURNS {
                    let holder = format!("contender {contender}, turn {turn}");
                    wait_for(&lock, &scope, &holder, ttl_ms).await;
                    enter(&incumbent, &lock, &scope, &holder);
                    // One turn of each dies holding it, at a different turn for each.
                    if turn != contender % TURNS {
                        tokio::time::sleep(LOOK).await;
                        leave(&incumbent, &holder);
                        lock.release(&scope, &holder).await.expect("release");
                    }
                }
            })
        })
        .collect();
    for contender in contenders {
        contender.await.expect("no contender fails");
    }
}

fn enter<L: OuterLock + Clone>(incumbent: &Incumbent<L>, lock: &L, scope: &Scope, holder: &str) {
    let mut incumbent = incumbent.lock().expect("nobody panicked here");
    if lock.remaining_ms(scope, holder) == 0 {
        // The machine stalled for a whole TTL: this one does not count on it.
        return;
    }
    if let Some((other, name)) = &*incumbent {
        assert_eq!(other.remaining_ms(scope, name), 0, "{holder} got the lock while {name} MAY still count on it");
    }
    *incumbent = Some((lock.clone(), holder.to_owned()));
}

fn leave<L>(incumbent: &Incumbent<L>, holder: &str) {
    incumbent.lock().expect("nobody panicked here").take_if(|(_, name)| name == holder);
}

async fn is_lost_when_the_server_is_gone<B: LockBench>(bench: &mut B) {
    let (lock, scope) = (bench.client(), scope("gone"));
    let deadline = Instant::now() + PATIENCE;
    take(&lock, &scope, "a", bench.ttl_ms()).await;
    bench.stop().await;
    while lock.remaining_ms(&scope, "a") > 0 {
        assert!(lock.renew(&scope, "a", bench.ttl_ms()).await.is_err(), "no server, no promise");
        assert!(Instant::now() < deadline, "an unanswered renewal MUST NOT prolong");
    }
    assert!(lock.renew(&scope, "a", bench.ttl_ms()).await.is_err());
    assert_eq!(lock.remaining_ms(&scope, "a"), 0, "after its deadline it counts as lost");
    assert!(lock.acquire(&scope, "a", bench.ttl_ms()).await.is_err());
    assert!(lock.release(&scope, "a").await.is_err(), "whether it was released MUST NOT be made up");
}
