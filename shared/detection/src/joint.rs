//! A service's features, judged together by an Isolation Forest of its own.

use crate::isolation_forest::IsolationForest;
use crate::settings::DetectionSettings;
use crate::suppress::Gate;
use picket_core::time::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Features of one window: rate, p95, error ratio, CPU, memory, error logs, slowest dependency.
pub(crate) type Features = [f32; 7];

/// Windows until the first forest.
const ROWS_MIN: usize = 64;
/// Windows kept (two subsamples' worth).
const ROWS_MAX: usize = 512;
/// Windows between two forests.
const REFIT_EVERY: u64 = 120;
/// Liu et al.: scores well above 0.5 are anomalies; a calm service's top 5 % are not, whatever the quantile says.
const SCORE_MIN: f32 = 0.62;

/// What it says of the present window.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Unusual {
    pub score: f32,
    pub threshold: f32,
    pub onset: Timestamp,
    pub last_seen: Timestamp,
}

/// The forest of one service and the reservoir that it is grown from.
#[derive(Clone, Debug)]
pub(crate) struct Joint {
    rows: Vec<Features>,
    seen: u64,
    forest: Option<(IsolationForest, f32)>,
    fitted_at: u64,
    gate: Gate,
    rng: ChaCha8Rng,
    seed: u64,
    last: Option<(f32, f32)>,
}

impl Joint {
    pub fn new(seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            seen: 0,
            forest: None,
            fitted_at: 0,
            gate: Gate::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
            last: None,
        }
    }

    /// Takes a window. `quiet`: no other detector suspects the service; only then does the window teach, and only then is
    /// "jointly unusual" news.
    pub fn observe(&mut self, at: Timestamp, row: Features, quiet: bool, settings: &DetectionSettings) -> Option<Unusual> {
        let judged = self.forest.as_ref().map(|(forest, threshold)| (forest.score(&row), threshold.max(SCORE_MIN)));
        let breach = quiet && judged.is_some_and(|(score, threshold)| score >= threshold);
        // One window more than the baselines ask for: the weakest witness speaks last.
        let active = self.gate.step(breach, at, settings.persistence + 1);
        if breach {
            self.last = judged;
        }
        if quiet {
            self.keep(row);
        }
        let due = self.rows.len() >= ROWS_MIN && (self.forest.is_none() || self.seen - self.fitted_at >= REFIT_EVERY);
        if due {
            self.fitted_at = self.seen;
            self.forest = IsolationForest::fit(&self.rows, self.seed ^ self.seen).map(|forest| {
                let threshold = forest.threshold(&self.rows, settings.contamination);
                (forest, threshold)
            });
        }
        let (score, threshold) = self.last.filter(|_| active && quiet)?;
        Some(Unusual { score, threshold, onset: self.gate.onset(), last_seen: self.gate.last_seen() })
    }

    /// Reservoir sampling with a bias to the recent: every window comes in, a random one leaves.
    fn keep(&mut self, row: Features) {
        self.seen += 1;
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        } else {
            let place = ((u64::from(self.rng.next_u32()) * ROWS_MAX as u64) >> 32) as usize;
            self.rows[place] = row;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combination_never_seen_is_unusual_though_each_value_is_not() {
        let settings = DetectionSettings::default();
        let mut joint = Joint::new(3);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut unit = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        let mut flagged = 0;
        for i in 0..600 {
            // Latency follows load, and so does CPU.
            let load = unit();
            let row = [load, load + unit() * 0.05, 0.0, load + unit() * 0.05, 0.5 + unit() * 0.02, 0.0, load + unit() * 0.05];
            flagged += usize::from(joint.observe(Timestamp(i * 5_000), row, true, &settings).is_some());
        }
        assert!(flagged <= 3, "{flagged} of 600 quiet windows were flagged");
        let odd = [0.02, 1.05, 0.0, 0.0, 0.9, 0.0, 1.05];
        let found = (600..608).filter_map(|i| joint.observe(Timestamp(i * 5_000), odd, true, &settings)).next();
        assert!(found.is_some(), "no load, yet slow");
        assert!(joint.observe(Timestamp(609 * 5_000), odd, false, &settings).is_none(), "others saw it: no news");
    }
}
