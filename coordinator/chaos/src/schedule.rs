//! What goes wrong, and when: drawn from the seed before the run begins.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whoever leads by then.
    Leader,
    /// That node.
    Node(u64),
}

/// What befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// kill -9, and started again.
    KillNine,
    /// SIGSTOP, and SIGCONT.
    Pause,
    /// Nobody hears it and it hears nobody, callers included.
    Isolated,
    /// The other nodes do not hear it; callers do.
    Unheard,
    /// It does not hear the other nodes; callers do.
    Deaf,
    /// It and one other node do not hear each other; the third hears both.
    Parted,
    /// Callers do not reach it; nodes do.
    Unreachable,
    /// All nodes are killed at once.
    Blackout,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::KillNine, Self::Pause, Self::Isolated, Self::Unheard, Self::Deaf, Self::Parted, Self::Unreachable, Self::Blackout];

    /// Whether it needs wires that can be cut.
    #[must_use]
    pub const fn needs_wires(self) -> bool {
        matches!(self, Self::Isolated | Self::Unheard | Self::Deaf | Self::Parted | Self::Unreachable)
    }
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// From the beginning.
    pub at_ms: u64,
    /// For how long.
    pub lasts_ms: u64,
    /// What.
    pub fault: Fault,
    /// Whom.
    pub target: Target,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms: {:?} of {:?} for {} ms", self.at_ms, self.fault, self.target, self.lasts_ms)
    }
}

/// Faults for `seconds`; each kind comes up before any comes up twice as often.
#[must_use]
pub fn draw(seed: u64, seconds: u64, nodes: &[u64], with_wires: bool) -> Vec<Trouble> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut deck: Vec<Fault> = Vec::new();
    let mut at_ms = 1_500;
    let mut drawn = Vec::new();
    // Quiet at the end: the last fault is over before the healing.
    while at_ms < seconds * 1_000 {
        if deck.is_empty() {
            let usual = Fault::ALL.into_iter().filter(|fault| with_wires || !fault.needs_wires());
            // What a leader suffers most often in real life comes more often than a blackout.
            deck = usual.chain([Fault::KillNine, Fault::Pause]).collect();
            deck.shuffle(&mut rng);
        }
        let Some(fault) = deck.pop() else { break };
        let target = if rng.random_bool(0.6) { Target::Leader } else { Target::Node(nodes[rng.random_range(0..nodes.len())]) };
        drawn.push(Trouble { at_ms, lasts_ms: rng.random_range(300..4_000), fault, target });
        at_ms += rng.random_range(600..3_500);
    }
    drawn
}
