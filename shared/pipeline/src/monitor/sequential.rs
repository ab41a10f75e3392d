//! Page's test: looks come one after the other, and the moment from which they speak another language is found as early as the error that is
//! allowed lets it.
//!
//! The sum of log likelihood ratios is taken back to zero whenever it falls below (Page, "Continuous Inspection Schemes", Biometrika 41,
//! 1954): what came before a change costs nothing. Under the null hypothesis the sum that begins at one given look ever reaches `h` with
//! probability at most e^-h (Ville's inequality, for the likelihood ratio is a martingale), so within `n` looks a false alarm has
//! probability at most n·e^-h.

/// A test of yes-or-no looks.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) struct PageTest {
    /// Probability of a yes while what is tested for is not so, 0..1.
    pub yes_if_not: f64,
    /// Probability of a yes when it is so, 0..1; the higher of the two.
    pub yes_if_so: f64,
    /// The bound `h` on the sum.
    pub bound: f64,
}

impl PageTest {
    /// With `looks` of them in all, a false alarm has at most the probability `alpha`.
    pub fn over(looks: f64, alpha: f64, yes_if_not: f64, yes_if_so: f64) -> Self {
        Self { yes_if_not, yes_if_so, bound: (looks.max(1.0) / alpha).ln() }
    }

    /// Whether the newest look is one at which the sum stands above the bound. A look that says nothing (`None`) leaves it as it is.
    pub fn holds(&self, looks: impl IntoIterator<Item = Option<bool>>) -> bool {
        let (yes, no) = ((self.yes_if_so / self.yes_if_not).ln(), ((1.0 - self.yes_if_so) / (1.0 - self.yes_if_not)).ln());
        let step = |sum: f64, look: Option<bool>| match look {
            Some(true) => sum + yes,
            Some(false) => (sum + no).max(0.0),
            None => sum,
        };
        looks.into_iter().fold(0.0, step) >= self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    const HARM: fn(f64) -> PageTest = |looks| PageTest::over(looks, 0.05, 0.02, 0.6);

    fn first_alarm(test: &PageTest, looks: &[bool]) -> Option<usize> {
        (1..=looks.len()).find(|n| test.holds(looks[..*n].iter().map(|yes| Some(*yes))))
    }

    #[test]
    fn what_is_seen_again_and_again_is_found_and_one_look_to_the_contrary_does_not_hide_it() {
        let test = HARM(120.0);
        assert_eq!(first_alarm(&test, &[true; 5]), Some(3));
        assert_eq!(first_alarm(&test, &[true, true, false, true, false, true]), Some(4));
        assert_eq!(first_alarm(&test, &[true, false, false, false, false, true, false, false, false, false, true]), None);
        let mut after_long_quiet = vec![false; 100];
        after_long_quiet.extend([true; 3]);
        assert_eq!(first_alarm(&test, &after_long_quiet), Some(103), "what came before costs nothing");
        assert!(test.holds([Some(true), None, Some(true), None, None, Some(true)]));
        assert!(!test.holds([]));
    }

    #[test]
    fn false_alarms_stay_below_what_was_allowed() {
        let (looks, runs) = (120, 20_000);
        let test = HARM(f64::from(looks));
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut alarms_at = |yes: f64| {
            let mut run = |_| first_alarm(&test, &(0..looks).map(|_| random.random_bool(yes)).collect::<Vec<_>>()).is_some();
            (0..runs).filter(|n| run(*n)).count() as f64 / f64::from(runs)
        };
        assert!(alarms_at(0.02) <= 0.05, "at the null hypothesis itself");
        assert!(alarms_at(0.6) > 0.99, "and what is there is found");
    }
}
