//! What a miss and a false call cost.

/// An application profile of the benchmark: costs relative to a detection at the very start of a window.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct CostProfile {
    /// Of a row called outside of every window, when it is far behind the last one.
    pub false_positive: f64,
    /// Of a window without a call.
    pub miss: f64,
}

impl CostProfile {
    /// `standard`.
    pub const STANDARD: Self = Self { false_positive: 0.11, miss: 1.0 };
    /// `reward_low_FP_rate`.
    pub const LOW_FP: Self = Self { false_positive: 0.22, miss: 1.0 };
    /// `reward_low_FN_rate`.
    pub const LOW_FN: Self = Self { false_positive: 0.11, miss: 2.0 };

    /// The score of a tally, normalised: 0 for calling nothing, 100 for calling the first row of each window and nothing else.
    #[must_use]
    pub fn normalised(self, raw: f64, windows: usize) -> f64 {
        let perfect = windows as f64;
        let null = -self.miss * perfect;
        100.0 * (raw - null) / (perfect - null)
    }
}
