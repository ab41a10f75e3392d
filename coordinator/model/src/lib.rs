//! The act protocol (PROTOCOL.md) as an explicit-state model, searched to the end with stateright.
//!
//! It is written from the protocol, not from the Rust that implements it, and shares no code with it: what both get wrong, they get
//! wrong independently. Each process is a few lines of state; each step is one atomic action of one process, of the network or of the
//! world; every order of steps within a configuration's bounds is looked at. `cargo test` does that for every configuration and every
//! switch; `cargo run -p picket-protocol-model --release -- --all` prints the table, with wider configurations;
//! `-- --show M1` prints a counterexample.
//!
//! # What is modelled
//!
//! | part | as |
//! |---|---|
//! | coordinator | atomic: ledger, leases, tokens, epochs, phases, STOP, budget, cooldown, ages, undo, restore from a backup |
//! | agents | two; each act is asked for once in a life of the coordinator, on evidence that may grow old |
//! | actuators | two processes, one in office; crash (the journal stays), failover, a deposed one that goes on |
//! | observers | two processes, one in office; readings and grades that arrive late and out of order |
//! | sinks | objects with version, generation, fencing token, stamp and content; other people and status updates write them too |
//! | network | a set that only grows: a message is delivered never, once or often, in any order, however late; an answer may be lost |
//! | persons | approve, promote, undo, resolve, press STOP, release; what they send may arrive late |
//! | other automation | takes a lease, writes under it with its token, and may do so after the lease ran out |
//! | time | any deadline may pass at any moment, any write start late (nothing rests on an actuator's clock); ages count on a few ticks |
//!
//! Beyond the first model that PROTOCOL.md speaks of: preemption, two scopes, acts of two writes, observer failover, lease expiry,
//! budget with pods that come back late, restore with journals, and consents that arrive after a STOP.
//!
//! # Bounds
//!
//! Up to three acts and the undo of each, two scopes, two targets, two actuators, two observers, two lives. How often a process crashes,
//! another person writes and so on is in [`setup::Bounds`]; each of [`configurations`] has its own, small enough to be searched to the end.
//! A bound on visits guards memory: reaching it is a failure, never a pass. Witnesses ([`witness`]) and a floor on the number of states
//! see to it that a configuration cannot hold by doing nothing.
//!
//! # Promises
//!
//! I1-I11 by the numbers of `picket_core::invariants`, and STOP and UNDO, which have none; [`invariant::Invariant::says`] states what is
//! checked for each. They are judged by [`truth`], what really happened, not by what a process believes. I12 (no model's value is used
//! unvalidated) is out: it is about text, not about order. Of I8 the order "record, then claim" is in, the hash chain is not.
//!
//! # Left out
//!
//! Raft itself (the simulation has it), GitOps, drift between versions of policy, outer locks, signatures and identities (nobody lies
//! here), digests of actions (an entry is its action), an actuator's own memory of the highest token, the early policy and Cedar,
//! episodes and the statistical gate, queue order within a priority, clocks that jump, and the fences that STOP raises: the model shows
//! that STOP is safe without them, as long as "stopped" is not shown before the fences of open claims are confirmed. What would be Denied
//! or Shadowed at once is no entry. An entry's end is not awaited: these are promises of safety; that good things can happen is what the
//! witnesses show.
//!
//! # Switches
//!
//! Each sentence marked M1 to M14 is a [`rules::Rule`], and so are rules that bear no mark. In force, nothing breaks; off, the same bounds
//! show a shortest way to what breaks. Where another rule masks it, both are off; either alone off breaks nothing there. The tests
//! check all of this, the steps included.
//!
//! | off | masked by | configuration | breaks | steps |
//! |---|---|---|---|---|
//! | M1 | - | proof | I6 | 8 |
//! | M2 | - | proof | I6 | 7 |
//! | M3 | SinkToken | succession | I3 | 9 |
//! | M4 | M3 | proof | I6 | 8 |
//! | M5 | - | undo | UNDO | 12 |
//! | M6 | - | severity | I7 | 4 |
//! | M7 | - | stop | I7 | 10 |
//! | M7 | - | stop and undo | STOP | 11 |
//! | M8 | - | stop | I9 | 8 |
//! | M9Echo | - | facts | I11 | 9 |
//! | M9Order | - | facts | I4 | 9 |
//! | M10 | - | budget | I4 | 11 |
//! | M11 | - | cooldown | I5 | 8 |
//! | M12 | Succession | deadlines | I1 | 5 |
//! | M13Epochs | - | restore | I2 | 16 |
//! | M13Epochs | - | observers | I10 | 9 |
//! | M13Fences | - | restore, journals waived | I6 | 12 |
//! | M13Journals | - | restore | I10 | 13 |
//! | M13Wait | - | restore, journals waived | I5 | 24 |
//! | M14End | - | undo | I10 | 8 |
//! | M14Budget | - | budget | I4 | 19 |
//! | SinkToken | - | leases | I3 | 8 |
//! | AuditFirst | - | proof | I8 | 3 |
//! | Succession | - | succession | I1 | 6 |
//! | Succession | - | stop and late writes | STOP | 8 |
//! | Succession | - | budget, unknown ends | I4 | 14 |
//! | LeaseCoversClaim | - | leases | I1 | 7 |
//! | PreemptPermitted | - | preemption | I1 | 6 |
//! | ProveGranted | - | old journal | I1 | 14 |
//! | UndoAsksAnew | - | budget | I4 | 20 |
//! | UndoAsksFresh | - | budget | I4 | 26 |
//! | StopOnlyTightens | - | stop, undos kept | STOP | 11 |
//! | ReleaseNamesStop | - | stop | STOP | 4 |
//! | LaterWriteFence | - | two writes | I6 | 9 |
//! | LaterWriteFence | - | two targets | I6 | 9 |
//! | JournalKept | - | restore | I10 | 16 |
//! | OwnWhileReserved | - | budget, unknown ends | I4 | 15 |
//! | OwnWhileReserved | - | budget | I4 | 14 |
//!
//! Why some are masked: *M3* by the sink's own token check, which refuses what a re-read would let through; *M4* by M3, because a
//! repeated write on the version of the claim cannot land twice; *M12* by the rule of succession, which keeps the scope of anything
//! whose fence is not confirmed.

pub mod actuator;
pub mod check;
pub mod configurations;
pub mod coordinator;
pub mod id;
pub mod invariant;
pub mod ledger;
pub mod message;
mod model;
pub mod observer;
pub mod properties;
pub mod rules;
pub mod setup;
pub mod sink;
pub mod state;
pub mod step;
pub mod switches;
pub mod truth;
pub mod wide;
pub mod witness;
pub mod work;
pub mod world;
