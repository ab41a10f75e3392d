//! What adjudicated episodes prove about an agent's accuracy, however often one looks and although the episodes of one cause on one day
//! may stand or fall together.
//!
//! Such a group is one bet, on the share of its episodes that were right. Whatever hangs together inside it, that share has at most the
//! mean accuracy, so the product of `1 + λ (share - p)` over groups is a supermartingale if the accuracy is at most `p`: it exceeds `1/α` ever with
//! probability at most `α` (Ville 1939; Waudby-Smith & Ramdas 2023, "Estimating means of bounded random variables by betting"). `λ` is
//! mixed over the accuracies that one might have instead, each alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Groups of one day that are told apart; more causes than these share one group.
const CAUSES_A_DAY: usize = 64;
/// A larger group counts as one of this size with at most its share.
const GROUP_MAX: u32 = 20;
/// Accuracies that a bet is mixed over.
const BETS: u32 = 16;

/// Accuracies nearer than this to 0 or 1 are not told from them.
const EDGE: f64 = 1e-4;

/// Adjudicated episodes in which a cause was named, by day and cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EpisodeGroups {
    /// The day that is still open, counted from the coordinator's epoch.
    day: i64,
    /// Its groups: they prove something when the day is over.
    open: Vec<Group>,
    /// Groups of days that are over, by what they were like.
    over: Vec<Alike>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Group {
    cause: String,
    right: u32,
    of: u32,
}

/// Groups of which as many episodes were right.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Alike {
    right: u32,
    of: u32,
    groups: u32,
}

impl EpisodeGroups {
    /// Groups of one episode each, all of days that are over.
    #[must_use]
    pub fn of_one(right: u32, wrong: u32) -> Self {
        let over = [(1, right), (0, wrong)].into_iter().filter(|(_, groups)| *groups > 0);
        Self { over: over.map(|(right, groups)| Alike { right, of: 1, groups }).collect(), ..Self::default() }
    }

    /// Counts an episode of this day. A day before the open one counts as the open one.
    pub fn count(&mut self, day: i64, cause: &str, right: bool) {
        self.end_days_before(day);
        let at = self.open.iter().position(|group| group.cause == cause);
        let at = at.unwrap_or_else(|| {
            if self.open.len() < CAUSES_A_DAY {
                self.open.push(Group { cause: cause.to_owned(), right: 0, of: 0 });
            }
            self.open.len() - 1
        });
        let group = &mut self.open[at];
        group.of += 1;
        group.right += u32::from(right);
    }

    /// Days before this one are over.
    pub fn end_days_before(&mut self, day: i64) {
        if day <= self.day {
            return;
        }
        self.day = day;
        for group in std::mem::take(&mut self.open) {
            let of = group.of.min(GROUP_MAX);
            let right = (u64::from(group.right) * u64::from(of) / u64::from(group.of)) as u32;
            match self.over.iter_mut().find(|known| (known.right, known.of) == (right, of)) {
                Some(known) => known.groups = known.groups.saturating_add(1),
                None => self.over.push(Alike { right, of, groups: 1 }),
            }
        }
    }

    /// Lower bound of the accuracy, 0..1, from days that are over. It is wrong with probability at most `alpha`, over all times at which
    /// one looks.
    #[must_use]
    pub fn at_least(&self, alpha: f64) -> f64 {
        self.edge(EDGE, 1.0, alpha).unwrap_or(0.0)
    }

    /// Its upper bound, likewise.
    #[must_use]
    pub fn at_most(&self, alpha: f64) -> f64 {
        self.edge(1.0 - EDGE, 0.0, alpha).unwrap_or(1.0)
    }

    /// The last accuracy on the way from `rejected` to the mean that is refuted by bets on those towards `to`; `None` without groups.
    fn edge(&self, mut rejected: f64, to: f64, alpha: f64) -> Option<f64> {
        let groups: f64 = self.over.iter().map(|alike| f64::from(alike.groups)).sum();
        let shares: f64 = self.over.iter().map(|alike| alike.share() * f64::from(alike.groups)).sum();
        let mut stands = (groups > 0.0).then(|| (shares / groups).clamp(EDGE, 1.0 - EDGE))?;
        if self.ln_won(rejected, to) < -alpha.ln() {
            return Some(rejected);
        }
        // What was won falls as `p` comes nearer to the mean.
        for _ in 0..20 {
            let middle = f64::midpoint(rejected, stands);
            if self.ln_won(middle, to) < -alpha.ln() { stands = middle } else { rejected = middle }
        }
        Some(rejected)
    }

    /// True when an accuracy of `p` or less is refuted at level `alpha`.
    #[must_use]
    pub fn refute_at_most(&self, p: f64, alpha: f64) -> bool {
        self.ln_won(p, 1.0) >= -alpha.ln()
    }

    /// Logarithm of what bets against `p` have won, on accuracies between `p` and `to`.
    fn ln_won(&self, p: f64, to: f64) -> f64 {
        let bet = |n: u32| {
            let instead = p + (to - p) * (f64::from(n) + 0.5) / f64::from(BETS);
            let stake = (instead - p) / (p * (1.0 - p));
            self.over.iter().map(|alike| f64::from(alike.groups) * (stake * (alike.share() - p)).ln_1p()).sum::<f64>()
        };
        let won: [f64; BETS as usize] = std::array::from_fn(|n| bet(n as u32));
        let most = won.into_iter().fold(f64::NEG_INFINITY, f64::max);
        most + (won.iter().map(|ln| (ln - most).exp()).sum::<f64>() / f64::from(BETS)).ln()
    }
}

impl Alike {
    fn share(self) -> f64 {
        f64::from(self.right) / f64::from(self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_the_mean_and_close_in() {
        let bounds = |groups: EpisodeGroups| (groups.at_least(0.05), groups.at_most(0.05));
        let (low, high) = bounds(EpisodeGroups::of_one(95, 5));
        assert!(0.8 < low && low < 0.95 && 0.95 < high && high < 1.0, "{low} {high}");
        let (lower, higher) = bounds(EpisodeGroups::of_one(950, 50));
        assert!(lower > low && higher < high);
        assert_eq!(bounds(EpisodeGroups::default()), (0.0, 1.0));
        let (low, high) = bounds(EpisodeGroups::of_one(0, 100));
        assert!(low < 0.001 && high < 0.1, "{low} {high}");
    }

    #[test]
    fn one_cause_on_one_day_is_one_group_and_counts_when_the_day_is_over() {
        let mut shared = EpisodeGroups::default();
        let mut apart = EpisodeGroups::default();
        for day in 0..20 {
            for n in 0..5 {
                shared.count(day, "memory_limit_too_low", true);
                apart.count(day, &format!("cause {n}"), true);
            }
        }
        let before = apart.at_least(0.05);
        apart.end_days_before(20);
        shared.end_days_before(20);
        assert!(apart.at_least(0.05) > before, "the last day was still open");
        assert_eq!(apart.at_least(0.05), EpisodeGroups::of_one(100, 0).at_least(0.05));
        assert_eq!(shared.at_least(0.05), EpisodeGroups::of_one(20, 0).at_least(0.05));
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut groups = EpisodeGroups::default();
        for n in 0..100_000_u32 {
            groups.count(i64::from(n / 1000), &format!("cause {}", n % 90), n % 7 != 0);
        }
        assert!(groups.open.len() <= CAUSES_A_DAY);
        assert!(groups.over.len() <= ((GROUP_MAX + 1) * (GROUP_MAX + 2) / 2) as usize, "{}", groups.over.len());
    }
}
