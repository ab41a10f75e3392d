//! When a fence has become one: pure functions of what was read and of AWS's clock.
//!
//! An act notes the time D of its start, compares the resource with what was read before the claim, and signs its writes as of D. Let a read
//! have shown a fence above the act's token at time d of AWS's clock. An act with D after d sees the fence when it compares, and stops. An act
//! with D before d is refused by AWS from D + life on, so from d + life on. Either way nothing of it lands after d + life + margin. The margin
//! covers what the two clocks may differ by, which each act checks, and reads that lag behind.

use picket_core::scope::FencingToken;

/// What an act allows this machine's clock to differ from AWS's, in s.
pub(super) const SKEW_MAX_S: i64 = 60;
/// Twice the skew: the clock's, and as much again for a request under way and for reads that lag.
const MARGIN_S: i64 = 2 * SKEW_MAX_S;

/// How far a fence has got.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// The tag does not stand: raise it.
    Missing,
    /// It stands, and nothing says since when: say so, of the time of this reading.
    Unseen(FencingToken),
    /// It stands; writes signed before it may land for so many seconds more.
    Pending(u64),
    /// No earlier write can land any more.
    Passed,
}

/// Where the fence at `needed` or above stands, in a reading at `now_s` of AWS's clock.
pub(super) fn fence(
    needed: FencingToken,
    standing: Option<FencingToken>,
    seen: Option<(FencingToken, i64)>,
    now_s: i64,
    life_s: u64,
) -> Fence {
    let Some(standing) = standing.filter(|standing| *standing >= needed) else { return Fence::Missing };
    // A later fence says nothing of this one's age; the time that is noted for it is later still, so that it is safe to go by.
    let Some((_, since_s)) = seen.filter(|(fence, at)| *fence >= needed && *at <= now_s.saturating_add(MARGIN_S)) else {
        return Fence::Unseen(standing);
    };
    let life_s = i64::try_from(life_s).unwrap_or(i64::MAX);
    let left = since_s.saturating_add(life_s).saturating_add(MARGIN_S).saturating_sub(now_s);
    u64::try_from(left).ok().filter(|left| *left > 0).map_or(Fence::Passed, Fence::Pending)
}

/// Whether an act may go on with this clock.
pub(super) fn clock_agrees(ours_s: i64, theirs_s: i64) -> bool {
    ours_s.abs_diff(theirs_s) <= SKEW_MAX_S.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> FencingToken = FencingToken;

    #[test]
    fn a_fence_passes_through_its_stages() {
        assert_eq!(fence(T(8), None, None, 1000, 900), Fence::Missing);
        assert_eq!(fence(T(8), Some(T(7)), Some((T(7), 0)), 1000, 900), Fence::Missing);
        assert_eq!(fence(T(8), Some(T(8)), None, 1000, 900), Fence::Unseen(T(8)));
        assert_eq!(fence(T(8), Some(T(8)), Some((T(8), 1000)), 1000, 900), Fence::Pending(1020));
        assert_eq!(fence(T(8), Some(T(8)), Some((T(8), 1000)), 2019, 900), Fence::Pending(1));
        assert_eq!(fence(T(8), Some(T(8)), Some((T(8), 1000)), 2020, 900), Fence::Passed);
    }

    #[test]
    fn a_higher_fence_holds_for_a_lower_need_and_not_the_other_way_round() {
        assert_eq!(fence(T(8), Some(T(9)), Some((T(9), 1000)), 5000, 900), Fence::Passed);
        assert_eq!(fence(T(9), Some(T(9)), Some((T(8), 1000)), 5000, 900), Fence::Unseen(T(9)));
        // What was noted is no longer so.
        assert_eq!(fence(T(9), Some(T(8)), Some((T(9), 1000)), 5000, 900), Fence::Missing);
        assert_eq!(fence(T(8), Some(T(8)), Some((T(8), 9000)), 1000, 900), Fence::Unseen(T(8)), "a time to come is none");
    }

    #[test]
    fn a_clock_that_is_off_is_noticed() {
        assert!(clock_agrees(1000, 1060) && clock_agrees(1060, 1000));
        assert!(!clock_agrees(1000, 1061) && !clock_agrees(1061, 1000));
    }
}
