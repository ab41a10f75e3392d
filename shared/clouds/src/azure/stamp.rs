//! The tags by which a resource of Azure tells who wrote last, and who may write.
//!
//! Tag names of Azure may not hold `< > % & \ ? /`, and are the same in any case: so `picket.dev.` stands for `picket.dev/`.

use picket_core::action::Digest;
use picket_core::ids::EntryId;
use picket_core::scope::FencingToken;
use serde_json::{Map, Value, json};

/// The ledger entry whose act this resource bears.
pub(super) const ACTION_ID: &str = "picket.dev.action-id";
/// The highest token that it has accepted.
pub(super) const FENCING_TOKEN: &str = "picket.dev.fencing-token";
/// A digest of the version on which the last fence was raised: a later proof knows by it that the compare-and-set on that version was won.
pub(super) const FENCED_VERSION: &str = "picket.dev.fenced-version";
/// `false` keeps picket's hands off.
pub(super) const MANAGED: &str = "picket.dev.managed";

const VALUE_MAX: usize = 256;
/// Azure takes no more.
pub(super) const TAGS_MAX: usize = 50;

/// A tag's value.
pub(super) fn read<'a>(tags: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}

/// The highest token on the resource.
pub(super) fn token(tags: &Map<String, Value>) -> Option<FencingToken> {
    read(tags, FENCING_TOKEN)?.parse().ok().map(FencingToken)
}

/// The tags with an act's stamp.
pub(super) fn with_act(tags: &Map<String, Value>, entry: &EntryId, token: FencingToken) -> Map<String, Value> {
    with(tags, &[(ACTION_ID, entry.to_string()), (FENCING_TOKEN, token.to_string())])
}

/// The tags with a fence that is raised on `version`.
pub(super) fn with_fence(tags: &Map<String, Value>, fence: FencingToken, version: &str) -> Map<String, Value> {
    with(tags, &[(FENCING_TOKEN, fence.to_string()), (FENCED_VERSION, mark(version))])
}

/// Whether the fence that stands was raised on exactly this version.
pub(super) fn was_fenced_on(tags: &Map<String, Value>, version: &str) -> bool {
    read(tags, FENCED_VERSION) == Some(mark(version).as_str())
}

/// Whether an entry's id can be a tag's value.
pub(super) fn fits(entry: &EntryId) -> bool {
    (1..=VALUE_MAX).contains(&entry.as_str().chars().count()) && !entry.as_str().chars().any(char::is_control)
}

/// ETags come in any length and with quotes.
fn mark(version: &str) -> String {
    Digest::of(version.as_bytes()).0
}

fn with(tags: &Map<String, Value>, set: &[(&str, String)]) -> Map<String, Value> {
    let keep = |key: &String| !set.iter().any(|(name, _)| key.eq_ignore_ascii_case(name));
    let mut made: Map<String, Value> = tags.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    made.extend(set.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tags_stay_and_case_does_not_matter() {
        let Value::Object(tags) = json!({"owner": "shop", "Picket.Dev.Fencing-Token": "3"}) else { unreachable!() };
        assert_eq!(token(&tags), Some(FencingToken(3)));
        let made = with_act(&tags, &"act-1".into(), FencingToken(7));
        assert_eq!(made.len(), 3);
        assert_eq!((read(&made, ACTION_ID), token(&made), read(&made, "owner")), (Some("act-1"), Some(FencingToken(7)), Some("shop")));
        let fenced = with_fence(&made, FencingToken(8), "\"v1\"");
        assert!(was_fenced_on(&fenced, "\"v1\"") && !was_fenced_on(&fenced, "\"v2\""));
        assert_eq!(read(&fenced, ACTION_ID), Some("act-1"), "the fence is no stamp");
    }

    #[test]
    fn no_name_holds_what_azure_refuses() {
        for name in [ACTION_ID, FENCING_TOKEN, FENCED_VERSION, MANAGED] {
            assert!(!name.contains(['<', '>', '%', '&', '\\', '?', '/']), "{name}");
        }
    }
}
