//! How sure a share is that was found in several runs: incidents of one run are not independent of each other, runs are.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const RESAMPLES: usize = 10_000;
const SEED: u64 = 0x0051_2c0d;

/// Lower end of the one-sided 95 % interval of a share, `(part, whole)` of each run: percentile bootstrap over runs (Efron 1979), 10,000
/// resamples of a fixed seed. `None` with fewer than two runs, or when nothing was counted.
#[must_use]
pub fn share_low(runs: &[(u64, u64)]) -> Option<f64> {
    if runs.len() < 2 || runs.iter().all(|(_, whole)| *whole == 0) {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut shares: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut part, mut whole) = (0, 0);
            for _ in runs {
                let (p, w) = runs[rng.random_range(0..runs.len())];
                part += p;
                whole += w;
            }
            (whole > 0).then(|| part as f64 / whole as f64)
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 20).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_agree_make_it_sure_and_runs_that_differ_do_not() {
        assert_eq!(share_low(&[(9, 10); 20]), Some(0.9));
        // The same share over all, but it comes and goes with the run.
        let mixed: Vec<_> = (0..20).map(|n| if n % 10 == 0 { (0, 10) } else { (10, 10) }).collect();
        let low = share_low(&mixed).unwrap();
        // 20 draws of runs that are bad one time in ten: four or more of them in 13 %, five or more in 4 %.
        assert_eq!(low, 0.8);
        assert_eq!(share_low(&mixed), Some(low), "the same again");
    }

    #[test]
    fn one_run_tells_nothing() {
        assert_eq!(share_low(&[(9, 10)]), None);
        assert_eq!(share_low(&[(0, 0), (0, 0)]), None);
    }
}
