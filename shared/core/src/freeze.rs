//! Times in which nothing is to be changed: release nights, maintenance windows, holidays.

use crate::action::{Action, RemediationKind};
use crate::ids::ClusterName;
use crate::limits::{LimitRule, Violation};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// A time in which picket changes nothing there. Undos go on: they bring back what people had left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// In which cluster; `None` for all.
    #[serde(default)]
    pub cluster: Option<ClusterName>,
    /// In which namespace; `None` for all.
    #[serde(default)]
    pub namespace: Option<String>,
    /// When.
    pub when: FreezeTime,
    /// Kinds of acts that go on all the same, a quarantine for example.
    #[serde(default)]
    pub except: Vec<RemediationKind>,
    /// Why, for whoever wonders.
    pub why: String,
}

/// When a freeze holds, on the coordinator's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FreezeTime {
    /// Once.
    Between {
        /// From then on.
        from: Timestamp,
        /// Until just before then.
        until: Timestamp,
    },
    /// Every week.
    Weekly {
        /// On these days (UTC).
        days: Vec<Weekday>,
        /// From this minute of the day, 0 to 1439 (UTC).
        from_minute: u16,
        /// For so many minutes, at most a week; it may last beyond midnight.
        minutes: u16,
    },
}

/// A day of the week.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// ISO 8601's first.
    Monday,
    /// Second.
    Tuesday,
    /// Third.
    Wednesday,
    /// Fourth.
    Thursday,
    /// Fifth.
    Friday,
    /// Sixth.
    Saturday,
    /// Seventh.
    Sunday,
}

impl FreezeTime {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Between { from, until } => (*from..*until).contains(&now),
            Self::Weekly { days, from_minute, minutes } => days.iter().any(|day| {
                let week = 7 * DAY_MINUTES;
                let begins = *day as i64 * DAY_MINUTES + i64::from(*from_minute);
                (minute_of_week(now) - begins).rem_euclid(week) < i64::from(*minutes).min(week)
            }),
        }
    }
}

/// Minutes since Monday, 00:00 UTC. The first day of the Unix epoch was a Thursday.
fn minute_of_week(now: Timestamp) -> i64 {
    (now.0.div_euclid(MINUTE_MS) + 3 * DAY_MINUTES).rem_euclid(7 * DAY_MINUTES)
}

impl Freeze {
    /// Whether it stands against this act.
    #[must_use]
    pub fn covers(&self, action: &Action, now: Timestamp) -> bool {
        self.cluster.as_ref().is_none_or(|c| *c == action.service.cluster)
            && self.namespace.as_ref().is_none_or(|n| *n == action.service.namespace)
            && !self.except.contains(&action.kind())
            && self.when.holds(now)
    }
}

/// The first freeze that stands against an act.
#[must_use]
pub fn check_freezes(freezes: &[Freeze], action: &Action, now: Timestamp) -> Option<Violation> {
    let freeze = freezes.iter().find(|freeze| freeze.covers(action, now))?;
    Some(Violation::new(LimitRule::ChangeFreeze, None, format!("changes are frozen: {}", freeze.why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Remediation;
    use crate::ids::ServiceId;

    /// Friday, 2026-11-27, 22:00 UTC.
    const FRIDAY_EVENING: Timestamp = Timestamp(1_795_816_800_000);

    fn freeze(when: FreezeTime) -> Freeze {
        Freeze { cluster: None, namespace: None, when, except: vec![], why: "release night".into() }
    }

    fn act(remediation: Remediation) -> Action {
        Action { service: ServiceId::new("east", "shop", "cart"), remediation }
    }

    #[test]
    fn a_week_begins_on_monday_and_windows_run_past_midnight() {
        let weekly = |days: &[Weekday], from_minute, minutes| FreezeTime::Weekly { days: days.to_vec(), from_minute, minutes };
        let after = |minutes: i64| FRIDAY_EVENING.plus_ms(minutes * MINUTE_MS);
        let night = weekly(&[Weekday::Friday], 22 * 60, 8 * 60);
        assert!(!night.holds(after(-1)) && night.holds(after(0)) && night.holds(after(479)) && !night.holds(after(480)));
        let sunday = weekly(&[Weekday::Sunday], 23 * 60, 120);
        assert!(sunday.holds(after(2 * 24 * 60 + 60)) && sunday.holds(after(2 * 24 * 60 + 179)), "over the end of the week");
        assert!(!weekly(&[], 0, 1440).holds(FRIDAY_EVENING));
        assert!(weekly(&[Weekday::Saturday], 0, u16::MAX).holds(FRIDAY_EVENING), "a week at most, which is always");
    }

    #[test]
    fn it_speaks_of_what_it_names_and_no_more() {
        let when = FreezeTime::Between { from: FRIDAY_EVENING, until: FRIDAY_EVENING.plus_ms(1000) };
        let restart = act(Remediation::RolloutRestart);
        let all = freeze(when);
        let said = check_freezes(std::slice::from_ref(&all), &restart, FRIDAY_EVENING).unwrap();
        assert_eq!((said.rule, said.reason.as_str()), (LimitRule::ChangeFreeze, "changes are frozen: release night"));
        assert!(check_freezes(std::slice::from_ref(&all), &restart, FRIDAY_EVENING.plus_ms(1000)).is_none());
        for other in [
            Freeze { cluster: Some("west".into()), ..all.clone() },
            Freeze { namespace: Some("pay".into()), ..all.clone() },
            Freeze { except: vec![RemediationKind::RolloutRestart], ..all.clone() },
        ] {
            assert!(!other.covers(&restart, FRIDAY_EVENING), "{other:?}");
        }
        let shop = Freeze { namespace: Some("shop".into()), except: vec![RemediationKind::Quarantine], ..all };
        assert!(shop.covers(&restart, FRIDAY_EVENING) && !shop.covers(&act(Remediation::Quarantine), FRIDAY_EVENING));
    }
}
