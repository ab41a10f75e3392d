//! How often the gate is mistaken, and how soon it is convinced, when one looks after every episode.

use picket_core::episodes::EpisodeGroups;
use picket_core::phase::{GateRule, MISTAKE};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const RUNS: usize = 10_000;
const SEED: u64 = 20_261_127;
/// Three standard deviations of a share of .05 among so many runs.
const SAMPLING_ERROR: f64 = 0.0066;

/// What a run's episodes have in common. There are five a day.
enum Days {
    /// Each of a cause of its own.
    Independent,
    /// Of one cause: all are right or all are wrong.
    OfOneCause,
    /// Of one cause: each is as the one before with probability 0.8.
    MostlyAlike,
}

/// Whether the accuracy is taken to be above the threshold, ever within so many episodes.
fn is_promoted(days: &Days, accuracy: f64, episodes: u32, rule: &GateRule, rng: &mut ChaCha8Rng) -> bool {
    let mut groups = EpisodeGroups::default();
    let mut right = true;
    for n in 0..episodes {
        let (day, place) = (i64::from(n / 5), n % 5);
        let (cause, again) = match days {
            Days::Independent => (["a", "b", "c", "d", "e"][place as usize], 0.0),
            Days::OfOneCause => ("a", 1.0),
            Days::MostlyAlike => ("a", 0.8),
        };
        if place == 0 || !rng.random_bool(again) {
            right = rng.random_bool(accuracy);
        }
        groups.count(day, cause, right);
        // What is open proves nothing yet, so that a look changes only when a day is over.
        if place == 4 {
            groups.end_days_before(day + 1);
            if n + 1 >= rule.episodes_min && groups.refute_at_most(rule.accuracy_threshold, MISTAKE) {
                return true;
            }
        }
    }
    false
}

fn share(days: &Days, accuracy: f64, episodes: u32) -> f64 {
    let (rule, mut rng) = (GateRule::default(), ChaCha8Rng::seed_from_u64(SEED));
    let promoted = (0..RUNS).filter(|_| is_promoted(days, accuracy, episodes, &rule, &mut rng)).count();
    promoted as f64 / RUNS as f64
}

#[test]
fn an_agent_at_the_threshold_is_rarely_promoted_however_often_one_looks() {
    for (name, days) in [("independent", Days::Independent), ("of one cause", Days::OfOneCause), ("mostly alike", Days::MostlyAlike)] {
        let promoted = share(&days, GateRule::default().accuracy_threshold, 1500);
        println!("{name}: promoted in {:.2} % of {RUNS} runs of 1,500 episodes", promoted * 100.0);
        assert!(promoted <= MISTAKE + SAMPLING_ERROR, "{name}: {promoted}");
    }
}

#[test]
fn a_good_agent_is_promoted_soon() {
    let promoted = share(&Days::Independent, 0.97, 250);
    println!("promoted within 250 episodes in {:.1} % of {RUNS} runs", promoted * 100.0);
    assert!(promoted >= 0.80, "{promoted}");
}

#[test]
fn taken_one_by_one_episodes_that_fall_together_would_promote_too_often() {
    // That grouping is needed, and that these runs would notice if it were gone.
    let (rule, mut rng) = (GateRule::default(), ChaCha8Rng::seed_from_u64(SEED));
    let mut promoted = 0;
    for _ in 0..1000 {
        let (mut right, mut wrong) = (0, 0);
        promoted += u32::from((0..300).any(|day| {
            if rng.random_bool(rule.accuracy_threshold) {
                right += 5
            } else {
                wrong += 5
            }
            day >= 20 && EpisodeGroups::of_one(right, wrong).refute_at_most(rule.accuracy_threshold, MISTAKE)
        }));
    }
    assert!(promoted > 150, "{promoted} of 1000");
}
