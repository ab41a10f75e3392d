//! The tags by which a resource of AWS tells who wrote last, and who may write.
//!
//! Tag keys of ECS and Auto Scaling take letters, digits, spaces and `+ - = . _ : / @`. Acts and fences have tags of their own, so that a late
//! act lowers no fence.

use super::reading::Reading;
use picket_core::ids::EntryId;
use picket_core::scope::FencingToken;

/// The ledger entry whose act this resource bears.
pub(super) const ACTION_ID: &str = "picket.dev/action-id";
/// The token of that act.
pub(super) const FENCING_TOKEN: &str = "picket.dev/fencing-token";
/// The highest fence that was raised: acts of lower tokens do not begin here any more.
pub(super) const FENCE: &str = "picket.dev/fence";
/// `FENCE@SECONDS`: a read has shown this fence at that time of AWS's clock.
pub(super) const FENCE_SEEN: &str = "picket.dev/fence-seen";
/// `false` keeps picket's hands off.
pub(super) const MANAGED: &str = "picket.dev/managed";

const VALUE_MAX: usize = 256;

/// What the tags say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stamp {
    pub action_id: Option<String>,
    pub token: Option<FencingToken>,
    pub fence: Option<FencingToken>,
    pub seen: Option<(FencingToken, i64)>,
    pub hands_off: bool,
}

impl Stamp {
    /// From a resource's tags; others are passed over.
    pub(super) fn of<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut stamp = Self::default();
        let token = |value: &str| value.parse().ok().map(FencingToken);
        for (key, value) in tags {
            match key {
                ACTION_ID => stamp.action_id = Some(value.to_owned()),
                FENCING_TOKEN => stamp.token = token(value),
                FENCE => stamp.fence = token(value),
                FENCE_SEEN => {
                    stamp.seen = value.split_once('@').and_then(|(fence, at)| Some((token(fence)?, at.parse().ok()?)));
                }
                MANAGED => stamp.hands_off = value == "false",
                _ => {}
            }
        }
        stamp
    }
}

/// The tags of an act.
pub(super) fn of_act(entry: &EntryId, token: FencingToken) -> Vec<(&'static str, String)> {
    vec![(ACTION_ID, entry.to_string()), (FENCING_TOKEN, token.to_string())]
}

/// The tag of a fence.
pub(super) fn of_fence(fence: FencingToken) -> Vec<(&'static str, String)> {
    vec![(FENCE, fence.to_string())]
}

/// The tag that says since when it stands.
pub(super) fn of_seen(fence: FencingToken, at_s: i64) -> Vec<(&'static str, String)> {
    vec![(FENCE_SEEN, format!("{fence}@{at_s}"))]
}

/// Whether an entry's id can be a tag's value.
pub(super) fn fits(entry: &EntryId) -> bool {
    let text = entry.as_str();
    (1..=VALUE_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c))
}

/// The highest token that the resource has seen.
pub(super) fn highest(reading: &Reading) -> Option<FencingToken> {
    reading.snapshot.token.max(reading.fence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_back() {
        let tags = [of_act(&"act-1".into(), FencingToken(7)), of_fence(FencingToken(9)), of_seen(FencingToken(9), 1_700_000_000)].concat();
        let stamp = Stamp::of(tags.iter().map(|(key, value)| (*key, value.as_str())).chain([("owner", "shop"), (MANAGED, "false")]));
        assert_eq!(stamp.action_id.as_deref(), Some("act-1"));
        assert_eq!((stamp.token, stamp.fence), (Some(FencingToken(7)), Some(FencingToken(9))));
        assert_eq!(stamp.seen, Some((FencingToken(9), 1_700_000_000)));
        assert!(stamp.hands_off);
        assert_eq!(Stamp::of([(FENCE_SEEN, "nonsense"), (FENCE, "-1")].into_iter()), Stamp::default());
    }

    #[test]
    fn an_id_that_is_no_tag_is_found_before_anything_is_sent() {
        assert!(fits(&"act-1".into()));
        for bad in ["", "act 1\n", "act-é"] {
            assert!(!fits(&bad.into()), "{bad}");
        }
    }
}
