//! How bad an incident is: a pure function of facts that the observer vouches for (PROTOCOL.md, Limits).

use crate::anomaly::Symptom;
use crate::facts::ServiceFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// 1 is worst. Ordered so that `max` is the *graver* of two.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "u8")]
#[serde(into = "u8", try_from = "u8")]
pub enum Severity {
    /// Risk or waste without impact yet.
    Four,
    /// One service that is not tier 1 is degraded.
    Three,
    /// Tier 1 degraded, or three services or more.
    Two,
    /// A tier-1 service is down or burns its error budget at 14x.
    One,
}

impl Severity {
    /// 1-4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// The graver of two.
    #[must_use]
    pub fn graver(self, other: Self) -> Self {
        if self.number() <= other.number() { self } else { other }
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.number()
    }
}

impl TryFrom<u8> for Severity {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            4 => Ok(Self::Four),
            _ => Err(format!("severity {number} is not between 1 and 4")),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sev-{}", self.number())
    }
}

/// Error-budget burn above which a tier-1 service counts as down (Google SRE workbook, ch. 5: 14.4x spends 2 % of a month in an hour).
const BURN_DOWN: f64 = 14.0;
/// Services degraded together from which an incident is at least Sev-2.
const WIDE: usize = 3;

/// True when users feel it, against a mere risk.
#[must_use]
pub const fn has_impact(symptom: Symptom) -> bool {
    matches!(
        symptom,
        Symptom::LatencyHigh
            | Symptom::ErrorRateHigh
            | Symptom::OomKilled
            | Symptom::Restarts
            | Symptom::CrashLoop
            | Symptom::ReplicasUnavailable
            | Symptom::DependencyErrorsHigh
            | Symptom::DependencyLatencyHigh
    )
}

/// Grades an incident from its symptoms, the number of services degraded, and the observer's facts about its service.
///
/// Facts that are missing count as tier 1: what is unknown is treated as important.
#[must_use]
pub fn severity(symptoms: &[Symptom], services_degraded: usize, facts: Option<&ServiceFacts>) -> Severity {
    let impact = symptoms.iter().copied().any(has_impact);
    let tier = facts.map_or(1, |f| f.tier);
    let down =
        facts.is_some_and(|f| (f.total > 0 && f.ready == 0) || (f.error_budget_burn.is_finite() && f.error_budget_burn >= BURN_DOWN));
    if !impact && !down {
        return Severity::Four;
    }
    match (tier, down) {
        (1, true) => Severity::One,
        (1, false) => Severity::Two,
        _ if services_degraded >= WIDE => Severity::Two,
        _ => Severity::Three,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tier: u8, ready: u32, burn: f64) -> ServiceFacts {
        ServiceFacts { tier, ready, total: 3, desired: 3, error_budget_burn: burn, ..ServiceFacts::default() }
    }

    #[test]
    fn grades_follow_the_table() {
        let latency = [Symptom::LatencyHigh];
        assert_eq!(severity(&latency, 1, Some(&facts(1, 0, 0.0))), Severity::One);
        assert_eq!(severity(&latency, 1, Some(&facts(1, 3, 20.0))), Severity::One);
        assert_eq!(severity(&latency, 1, Some(&facts(1, 3, 1.0))), Severity::Two);
        assert_eq!(severity(&latency, 3, Some(&facts(2, 3, 1.0))), Severity::Two);
        assert_eq!(severity(&latency, 1, Some(&facts(2, 3, 1.0))), Severity::Three);
        assert_eq!(severity(&[Symptom::DiskFilling], 1, Some(&facts(1, 3, 0.0))), Severity::Four);
        assert_eq!(severity(&latency, 1, None), Severity::Two);
        assert_eq!(severity(&latency, 1, Some(&facts(2, 3, f64::NAN))), Severity::Three);
    }

    #[test]
    fn graver_is_the_lower_number() {
        assert_eq!(Severity::Three.graver(Severity::Two), Severity::Two);
        assert_eq!(Severity::One.graver(Severity::Four), Severity::One);
    }
}
