//! A caller: takes leases, writes to registers under their tokens, and sometimes sleeps past the end of a lease and writes all the same.

use crate::clock;
use crate::history::{Asked, Heard, Operation};
use crate::node;
use crate::register::Register;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command, LeasePriority};
use picket_core::limits::LimitRule;
use picket_core::ports::Coordinator as _;
use picket_core::scope::{FencingToken, Scope};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A lease is counted as live until this much before its end: the two clocks that count it are read at different moments.
const SLACK_MS: u64 = 250;
/// Times that a place in a line is asked for again.
const QUEUE_ASKS_MAX: u32 = 30;

/// What there is to write to, each guarded by the scope of the same number.
pub struct Field {
    /// One for each scope.
    pub registers: Vec<Register>,
    /// Writers finish what they are at.
    pub closing: AtomicBool,
}

/// The scope that guards a register.
#[must_use]
pub fn scope(number: usize) -> Scope {
    Scope::External("chaos".into(), format!("register-{number}"))
}

/// A command with the answer that it got.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// Its request id.
    pub request_id: String,
    /// It.
    pub command: Command,
    /// What was answered.
    pub answer: Answer,
}

/// A lease that was granted to this writer.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Of which scope.
    pub scope: usize,
    /// Its token.
    pub token: u64,
    /// It was not over before.
    pub holds_until_us: u64,
}

/// What a writer brings home.
#[derive(Debug, Default)]
pub struct Account {
    /// Its calls, by scope.
    pub operations: Vec<(usize, Operation)>,
    /// What was acknowledged to it.
    pub acknowledged: Vec<Acknowledged>,
    /// Leases that it had.
    pub granted: Vec<Granted>,
    /// Calls without an answer.
    pub unknown: u64,
    /// Writes that were tried after the lease was over.
    pub late_writes: u64,
    /// Answers that no caller may get.
    pub unexpected: Vec<String>,
}

/// One caller.
pub struct Writer {
    /// Its number.
    pub number: u32,
    client: CoordinatorClient,
    field: Arc<Field>,
    rng: ChaCha8Rng,
    asked: u64,
    account: Account,
}

/// A lease in hand.
struct InHand {
    tokens: Vec<(usize, u64)>,
    ttl_ms: u64,
}

impl Writer {
    /// With its own identity and draws.
    #[must_use]
    pub fn new(number: u32, client: CoordinatorClient, field: Arc<Field>, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(number) << 32));
        Self { number, client, field, rng, asked: 0, account: Account::default() }
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        let ms = self.rng.random_range(ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// Works until it is asked to finish.
    pub async fn work(mut self) -> Account {
        while !self.field.closing.load(Ordering::Relaxed) {
            if self.rng.random_bool(0.15) {
                self.look().await;
            }
            if let Some(lease) = self.take().await {
                self.use_lease(lease).await;
            }
            self.pause(10..120).await;
        }
        self.account
    }

    fn next_id(&mut self) -> String {
        self.asked += 1;
        format!("w{}-{}", self.number, self.asked)
    }

    fn note(&mut self, scopes: &[usize], operation: Operation) {
        self.account.unknown += u64::from(!operation.is_known());
        self.account.operations.extend(scopes.iter().map(|scope| (*scope, operation)));
    }

    fn acknowledge(&mut self, request_id: &str, command: &Command, answer: &Answer) {
        let (request_id, command, answer) = (request_id.to_owned(), command.clone(), answer.clone());
        self.account.acknowledged.push(Acknowledged { request_id, command, answer });
    }

    const fn holds_from(began_us: u64, ttl_ms: u64) -> u64 {
        began_us + (ttl_ms.saturating_sub(SLACK_MS)) * 1_000
    }

    async fn look(&mut self) {
        let began_us = clock::now_us();
        // Nothing is learned of a look that fails.
        let Ok(status) = self.client.status().await else { return };
        let ended_us = clock::now_us();
        for number in 0..self.field.registers.len() {
            let seen = status.leases.iter().find(|lease| lease.scope == scope(number)).map(|lease| lease.token.0);
            let heard = Heard::Seen(seen);
            let operation = Operation { client: self.number, asked: Asked::Look, heard, began_us, ended_us, holds_until_us: 0 };
            self.note(&[number], operation);
        }
    }

    /// One lease on one or two scopes, now or in turn.
    async fn take(&mut self) -> Option<InHand> {
        let count = self.field.registers.len();
        let first = self.rng.random_range(0..count);
        let ttl_ms = self.rng.random_range(1_000..3_000);
        if self.rng.random_bool(0.4) {
            return self.take_in_turn(first, ttl_ms).await;
        }
        let mut numbers = vec![first];
        if self.rng.random_bool(0.15) && first + 1 < count {
            numbers.push(first + 1);
        }
        let command = Command::AcquireLease { scopes: numbers.iter().map(|n| scope(*n)).collect(), ttl_ms: ttl_ms as i64 };
        let (began_us, request_id) = (clock::now_us(), self.next_id());
        let answer = self.client.submit(request_id.as_str().into(), command.clone()).await;
        let holds_until_us = Self::holds_from(began_us, ttl_ms);
        let mut call = Operation {
            client: self.number,
            asked: Asked::Take,
            heard: Heard::Unknown,
            began_us,
            ended_us: clock::now_us(),
            holds_until_us,
        };
        match answer {
            Ok(answer @ Answer::Leased { .. }) => self.leased(&numbers, call, ttl_ms, &request_id, &command, &answer),
            Ok(answer) if is_refusal(&answer, LimitRule::TargetBusy) => {
                // Of two scopes nobody knows which one was held.
                if numbers.len() == 1 {
                    call.heard = Heard::Refused;
                    self.note(&numbers, call);
                }
                self.acknowledge(&request_id, &command, &answer);
                None
            }
            Ok(answer) => {
                self.account.unexpected.push(format!("{request_id} {command:?}: {answer:?}"));
                None
            }
            Err(_) => {
                call.ended_us = u64::MAX;
                self.note(&numbers, call);
                None
            }
        }
    }

    /// Asks again under the same id until it is its turn. One scope only: a scope may be free and yet kept for one that waits for two.
    async fn take_in_turn(&mut self, number: usize, ttl_ms: u64) -> Option<InHand> {
        let command = Command::QueueLease { scopes: vec![scope(number)], ttl_ms: ttl_ms as i64, priority: LeasePriority::Repair };
        let (began_us, request_id) = (clock::now_us(), self.next_id());
        // What is granted was taken after this: a call that was not answered may be the one that took it.
        let mut since_us = began_us;
        let mut call =
            Operation { client: self.number, asked: Asked::Take, heard: Heard::Unknown, began_us, ended_us: u64::MAX, holds_until_us: 0 };
        let mut before_us = began_us;
        for _ in 0..QUEUE_ASKS_MAX {
            let asked_us = clock::now_us();
            let answer = self.client.submit(request_id.as_str().into(), command.clone()).await;
            let ended_us = clock::now_us();
            if ended_us.saturating_sub(before_us) > (node::WAIT_TTL_MS as u64).saturating_sub(SLACK_MS) * 1_000 {
                // Away for so long, it may have been granted a lease that lapsed before it came for it.
                self.note(&[number], Operation { began_us: before_us, ..call });
            }
            before_us = asked_us;
            match answer {
                Ok(answer @ Answer::Leased { .. }) => {
                    (call.ended_us, call.holds_until_us) = (ended_us, Self::holds_from(since_us, ttl_ms));
                    return self.leased(&[number], call, ttl_ms, &request_id, &command, &answer);
                }
                Ok(Answer::Waiting { .. }) => {
                    since_us = asked_us;
                    // Whoever waits, waits for somebody.
                    let held = Operation { heard: Heard::Refused, began_us: asked_us, ended_us, ..call };
                    self.note(&[number], held);
                }
                Ok(answer) => {
                    self.account.unexpected.push(format!("{request_id} {command:?}: {answer:?}"));
                    return None;
                }
                Err(_) if self.field.closing.load(Ordering::Relaxed) => break,
                Err(_) => {}
            }
            self.pause(30..250).await;
        }
        // Its turn may come yet, and pass.
        self.note(&[number], call);
        None
    }

    fn leased(
        &mut self,
        numbers: &[usize],
        call: Operation,
        ttl_ms: u64,
        request_id: &str,
        command: &Command,
        answer: &Answer,
    ) -> Option<InHand> {
        let Answer::Leased { tokens, .. } = answer else { return None };
        let tokens: Vec<_> = numbers.iter().filter_map(|n| Some((*n, tokens.get(&scope(*n))?.0))).collect();
        if tokens.len() != numbers.len() {
            self.account.unexpected.push(format!("{request_id}: a token is missing in {answer:?}"));
        }
        for (number, token) in &tokens {
            self.note(&[*number], Operation { heard: Heard::Leased(*token), ..call });
            self.account.granted.push(Granted { scope: *number, token: *token, holds_until_us: call.holds_until_us });
        }
        self.acknowledge(request_id, command, answer);
        Some(InHand { tokens, ttl_ms })
    }

    async fn use_lease(&mut self, lease: InHand) {
        for _ in 0..self.rng.random_range(1..4) {
            self.add_one(&lease).await;
            if self.rng.random_bool(0.3) {
                self.renew(&lease).await;
            }
        }
        if self.rng.random_bool(0.15) {
            // As a process that was stopped and does not know it.
            let beyond_ms = lease.ttl_ms + self.rng.random_range(200..1_500);
            tokio::time::sleep(Duration::from_millis(beyond_ms)).await;
            self.account.late_writes += 1;
            self.add_one(&lease).await;
        }
        if self.rng.random_bool(0.8) {
            self.release(&lease).await;
        }
    }

    /// Reads and writes one more, on each register of the lease. What two writers did at once would be lost.
    async fn add_one(&mut self, lease: &InHand) {
        for (number, token) in &lease.tokens {
            let field = self.field.clone();
            let register = &field.registers[*number];
            let Some(value) = register.read(self.number, *token, clock::now_us()) else { continue };
            self.pause(0..40).await;
            register.write(self.number, *token, value + 1, clock::now_us());
        }
    }

    async fn renew(&mut self, lease: &InHand) {
        let Some((number, token)) = lease.tokens.first().copied() else { return };
        let command = Command::RenewLease { scope: scope(number), token: FencingToken(token), ttl_ms: lease.ttl_ms as i64 };
        let holds_until_us = Self::holds_from(clock::now_us(), lease.ttl_ms);
        if self.ask_about(lease, Asked::Renew, command, holds_until_us).await {
            let again = lease.tokens.iter().map(|(scope, token)| Granted { scope: *scope, token: *token, holds_until_us });
            self.account.granted.extend(again);
        }
    }

    async fn release(&mut self, lease: &InHand) {
        let Some((number, token)) = lease.tokens.first().copied() else { return };
        // From here on nothing is promised to it, whatever the answer.
        let now_us = clock::now_us();
        for granted in self.account.granted.iter_mut().filter(|g| lease.tokens.contains(&(g.scope, g.token))) {
            granted.holds_until_us = granted.holds_until_us.min(now_us);
        }
        let command = Command::ReleaseLease { scope: scope(number), token: FencingToken(token) };
        self.ask_about(lease, Asked::Release, command, 0).await;
    }

    /// A lease is renewed and given back with all its scopes. True when it was.
    async fn ask_about(&mut self, lease: &InHand, asked: fn(u64) -> Asked, command: Command, holds_until_us: u64) -> bool {
        let (began_us, request_id) = (clock::now_us(), self.next_id());
        let answer = self.client.submit(request_id.as_str().into(), command.clone()).await.ok();
        let ended_us = if answer.is_some() { clock::now_us() } else { u64::MAX };
        for (number, token) in &lease.tokens {
            let heard = match &answer {
                None => Heard::Unknown,
                Some(Answer::Leased { tokens, .. }) => tokens.get(&scope(*number)).map_or(Heard::Refused, |token| Heard::Leased(token.0)),
                Some(Answer::Done) => Heard::Done,
                Some(_) => Heard::Refused,
            };
            let call = Operation { client: self.number, asked: asked(*token), heard, began_us, ended_us, holds_until_us };
            self.note(&[*number], call);
        }
        let Some(answer) = answer else { return false };
        let is_granted = matches!(answer, Answer::Leased { .. } | Answer::Done);
        if !is_granted && !is_refusal(&answer, LimitRule::NotAllowed) {
            self.account.unexpected.push(format!("{request_id} {command:?}: {answer:?}"));
            return false;
        }
        self.acknowledge(&request_id, &command, &answer);
        is_granted
    }
}

fn is_refusal(answer: &Answer, rule: LimitRule) -> bool {
    matches!(answer, Answer::Refused { violations } if violations.iter().all(|v| v.rule == rule))
}
