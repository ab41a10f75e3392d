//! A hundred thousand live leases: what a process needs for them, and what the next one costs.
#![allow(clippy::disallowed_methods, reason = "this test measures time; what is measured reads none")]

use picket_core::coordination::{Attributed, Command, Request};
use picket_core::ids::{Principal, RequestId};
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use picket_state_machine::{Reply, Settings, State, apply};
use std::time::{Duration, Instant};

const LEASES: usize = 100_000;
/// Cycles that one time is taken over.
const CYCLES: usize = 500;

struct Client {
    state: State,
    said: usize,
}

fn scope(n: usize) -> Scope {
    Scope::External("bench".into(), format!("scope-{n:06}"))
}

impl Client {
    fn new() -> Self {
        Self { state: State::new(Settings::default()), said: 0 }
    }

    /// As a client that says which answers it has.
    fn say(&mut self, command: Command) -> Reply {
        self.said += 1;
        let request =
            |id: String, command| Attributed::new(Principal::Human("bench".into()), Request { request_id: RequestId(id), command });
        if self.said.is_multiple_of(512) {
            let requests = (self.said - 512..self.said).map(|n| RequestId(format!("r{n}"))).collect();
            let _ = apply(&mut self.state, &request(format!("f{}", self.said), Command::ForgetAnswers { requests }), Timestamp(1_000));
        }
        apply(&mut self.state, &request(format!("r{}", self.said), command), Timestamp(1_000)).answer
    }

    fn take(&mut self, n: usize) -> FencingToken {
        match self.say(Command::AcquireLease { scopes: vec![scope(n)], ttl_ms: 3_600_000 }) {
            Reply::Leased { tokens, .. } => tokens[&scope(n)],
            other => panic!("{other:?}"),
        }
    }

    /// Takes and gives back; the best of some tries, because others use the machine too.
    fn cycle(&mut self) -> Duration {
        let once = |client: &mut Self| {
            let begun = Instant::now();
            for n in 0..CYCLES {
                let token = client.take(LEASES + n);
                assert_eq!(client.say(Command::ReleaseLease { scope: scope(LEASES + n), token }), Reply::Done);
            }
            begun.elapsed()
        };
        (0..8).map(|_| once(self)).min().unwrap_or_default()
    }
}

/// The most memory that this process has had, in bytes (Linux).
fn memory_high() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[test]
fn a_hundred_thousand_leases_fit_and_the_next_costs_no_more() {
    let mut client = Client::new();
    let empty = client.cycle();
    for n in 0..LEASES {
        client.take(n);
    }
    assert_eq!(client.state.status().leases_total, LEASES as u64);
    let among_many = client.cycle();
    let memory = memory_high();
    println!("{CYCLES} cycles: {empty:?} with no lease, {among_many:?} with {LEASES}; memory at most {memory:?} bytes");
    // Trees are a few levels deeper, and caches colder. A scan over the leases would be hundreds of times as much.
    assert!(among_many < empty * 8 + Duration::from_millis(20), "{among_many:?} against {empty:?}");
    assert!(memory.is_none_or(|bytes| bytes < 200_000_000), "{memory:?} bytes");
    // The time of each comes.
    let tick = Request { request_id: "t".into(), command: Command::Tick };
    let _ = apply(&mut client.state, &Attributed::new(Principal::Node(1), tick), Timestamp(3_601_000));
    assert_eq!(client.state.status().leases_total, 0);
}
