//! Isolation Forest: unusual points are cut off from the rest by few random cuts.
//!
//! F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008: 100 trees on subsamples of 256; score `2^(-E[h(x)] / c(n))`.
//! Trees are flat arrays; the randomness is a seeded ChaCha stream, so that the same rows and seed give the same forest.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Trees in a forest.
pub const TREES: usize = 100;
/// Rows that a tree is grown from.
pub const SUBSAMPLE: usize = 256;
const LEAF: u32 = u32::MAX;

/// One cut, or a leaf.
#[derive(Copy, Clone, Debug)]
struct Node {
    /// Feature cut on; [`LEAF`] for a leaf.
    feature: u32,
    /// The cut; of a leaf, the path length that its rows would still need.
    value: f32,
    /// Index of the left child; the right one follows it.
    left: u32,
}

/// Stands where a node is about to be grown.
const UNGROWN: Node = Node { feature: LEAF, value: 0.0, left: 0 };

/// What trees are grown from.
struct Rows {
    /// Row after row.
    flat: Vec<f32>,
    features: usize,
    /// Average path length by number of rows: every leaf needs one, and it has a logarithm in it.
    paths: Vec<f32>,
}

impl Rows {
    fn value(&self, row: u32, feature: usize) -> f32 {
        self.flat[row as usize * self.features + feature]
    }

    /// A feature and a cut between its extremes among these rows; `None` when all are alike.
    fn cut(&self, rows: &[u32], rng: &mut ChaCha8Rng) -> Option<(usize, f32)> {
        // Only features that still vary can be cut: start at a random one and take the first that does.
        let start = below(rng, self.features);
        let (feature, low, high) = (0..self.features).map(|k| (start + k) % self.features).find_map(|feature| {
            let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
            for row in rows {
                let value = self.value(*row, feature);
                // Not `min` and `max`: those mind numbers that are none, of which there are none here, and that takes time.
                low = if value < low { value } else { low };
                high = if value > high { value } else { high };
            }
            (low < high).then_some((feature, low, high))
        })?;
        Some((feature, low + (high - low) * unit(rng)))
    }

    /// Puts the rows at or below the cut first; gives how many these are. Every row is swapped, needed or not: a branch on random data is
    /// guessed wrong every other time, which costs more.
    fn partition(&self, rows: &mut [u32], feature: usize, cut: f32) -> usize {
        let mut split = 0;
        for i in 0..rows.len() {
            let row = rows[i];
            rows.swap(i, split);
            split += usize::from(self.value(row, feature) <= cut);
        }
        split
    }
}

/// A grown forest.
#[derive(Clone, Debug)]
pub struct IsolationForest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    normal_path: f32,
    features: usize,
}

/// Average path length of an unsuccessful search in a binary search tree of `n` (Liu et al., eq. 1).
fn average_path(n: usize) -> f32 {
    const EULER: f64 = 0.577_215_664_9;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = n as f64;
            (2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n) as f32
        }
    }
}

/// A number below `bound`, evenly (multiply and shift; its bias is below 2^-32 × bound).
fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u64::from(rng.next_u32()) * bound as u64) >> 32) as usize
}

fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
}

impl IsolationForest {
    /// Grows a forest from rows of equal length. Values that are no number count as 0. `None` for fewer than two rows, or rows
    /// of unequal or no length.
    #[must_use]
    pub fn fit<R: AsRef<[f32]>>(rows: &[R], seed: u64) -> Option<Self> {
        let features = rows.first()?.as_ref().len();
        if rows.len() < 2 || features == 0 || rows.iter().any(|r| r.as_ref().len() != features) {
            return None;
        }
        let flat: Vec<f32> = rows.iter().flat_map(|r| r.as_ref().iter().map(|v| if v.is_finite() { *v } else { 0.0 })).collect();
        let sample = SUBSAMPLE.min(rows.len());
        let height = (sample as f32).log2().ceil() as u32;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A tree of `sample` leaves has that many cuts less one.
        let nodes = Vec::with_capacity(TREES * 2 * sample);
        let mut forest = Self { nodes, roots: Vec::with_capacity(TREES), normal_path: average_path(sample), features };
        let rows_of = Rows { flat, features, paths: (0..=sample).map(average_path).collect() };
        let mut sampled = vec![0; sample];
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        for _ in 0..TREES {
            // The first `sample` places of a Fisher-Yates shuffle are a sample without replacement.
            for i in 0..sample {
                let j = i + below(&mut rng, order.len() - i);
                order.swap(i, j);
            }
            let root = forest.nodes.len() as u32;
            forest.nodes.push(UNGROWN);
            forest.roots.push(root);
            sampled.copy_from_slice(&order[..sample]);
            forest.grow(root, &mut sampled, &rows_of, height, &mut rng);
        }
        Some(forest)
    }

    /// Depth is bounded by log2 of the subsample, so the recursion is too.
    fn grow(&mut self, at: u32, rows: &mut [u32], data: &Rows, height: u32, rng: &mut ChaCha8Rng) {
        let cut = if height == 0 || rows.len() <= 1 { None } else { data.cut(rows, rng) };
        let Some((feature, cut)) = cut else {
            self.nodes[at as usize] = Node { feature: LEAF, value: data.paths[rows.len()], left: 0 };
            return;
        };
        let split = data.partition(rows, feature, cut);
        let left = self.nodes.len() as u32;
        self.nodes.extend([UNGROWN, UNGROWN]);
        self.nodes[at as usize] = Node { feature: feature as u32, value: cut, left };
        let (lower, upper) = rows.split_at_mut(split);
        self.grow(left, lower, data, height - 1, rng);
        self.grow(left + 1, upper, data, height - 1, rng);
    }

    /// How unusual a row is: towards 1 unusual, 0.5 and below usual. A row of another length scores 0.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f32 {
        if row.len() != self.features || self.normal_path <= 0.0 {
            return 0.0;
        }
        let mut total = 0.0;
        for root in &self.roots {
            let (mut node, mut depth) = (self.nodes[*root as usize], 0.0);
            while node.feature != LEAF {
                let value = row[node.feature as usize];
                let value = if value.is_finite() { value } else { 0.0 };
                node = self.nodes[(node.left + u32::from(value > node.value)) as usize];
                depth += 1.0;
            }
            total += depth + node.value;
        }
        (-(total / self.roots.len() as f32) / self.normal_path).exp2()
    }

    /// The score that a share `contamination` of these rows reaches or exceeds.
    #[must_use]
    pub fn threshold<R: AsRef<[f32]>>(&self, rows: &[R], contamination: f64) -> f32 {
        let mut scores: Vec<f64> = rows.iter().map(|r| f64::from(self.score(r.as_ref()))).collect();
        crate::baseline::quantile(&mut scores, 1.0 - contamination.clamp(0.0, 0.5)).unwrap_or(1.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(rng: &mut ChaCha8Rng) -> f32 {
        (0..12).map(|_| unit(rng)).sum::<f32>() - 6.0
    }

    fn cloud(n: usize, seed: u64) -> Vec<[f32; 4]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| std::array::from_fn(|_| gaussian(&mut rng))).collect()
    }

    #[test]
    fn outliers_rank_first_and_the_same_seed_gives_the_same_forest() {
        let mut rows = cloud(500, 1);
        for i in 0..10 {
            rows[i * 50] = [6.0, -6.0, 6.0, 5.0 + i as f32];
        }
        let forest = IsolationForest::fit(&rows, 7).unwrap();
        let mut ranked: Vec<_> = rows.iter().enumerate().map(|(i, r)| (forest.score(r), i)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!(ranked[..10].iter().all(|(score, i)| i % 50 == 0 && *score > 0.6), "{:?}", &ranked[..12]);
        assert!(ranked.iter().all(|(score, _)| (0.0..=1.0).contains(score)));
        let again = IsolationForest::fit(&rows, 7).unwrap();
        assert!(rows.iter().all(|r| forest.score(r) == again.score(r)));
        let other = IsolationForest::fit(&rows, 8).unwrap();
        assert!(rows.iter().any(|r| forest.score(r) != other.score(r)));
    }

    #[test]
    fn the_flagged_share_is_the_contamination() {
        let rows = cloud(2_000, 3);
        let forest = IsolationForest::fit(&rows, 5).unwrap();
        let threshold = forest.threshold(&rows, 0.05);
        let share = |rows: &[[f32; 4]]| rows.iter().filter(|r| forest.score(*r) >= threshold).count() as f64 / rows.len() as f64;
        assert!((share(&rows) - 0.05).abs() < 0.01, "{}", share(&rows));
        let unseen = share(&cloud(2_000, 4));
        assert!((0.02..0.09).contains(&unseen), "{unseen}");
    }

    #[test]
    fn strange_rows_do_no_harm() {
        assert!(IsolationForest::fit::<[f32; 2]>(&[], 1).is_none());
        assert!(IsolationForest::fit(&[vec![1.0], vec![1.0, 2.0]], 1).is_none());
        let same = IsolationForest::fit(&[[1.0_f32, 2.0]; 40], 1).unwrap();
        assert!(same.score(&[1.0, 2.0]) <= 0.5 + 1e-6);
        let odd = IsolationForest::fit(&[[f32::NAN, 1.0], [f32::INFINITY, 2.0], [0.0, 3.0]], 1).unwrap();
        assert!(odd.score(&[f32::NAN, f32::NEG_INFINITY]).is_finite());
        assert_eq!(odd.score(&[1.0]), 0.0);
    }
}
