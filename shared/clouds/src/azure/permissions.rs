//! What the credentials may do to a resource (public document: Azure RBAC REST API, "Permissions - List For Resource").

use serde_json::Value;

pub(super) const VERSION: &str = "2022-04-01";

/// Whether a list of permissions allows an action; `None` when it is no list.
pub(super) fn allow(list: &Value, action: &str) -> Option<bool> {
    let roles = list.get("value")?.as_array()?;
    let any = |role: &Value, field: &str| {
        role[field].as_array().is_some_and(|patterns| patterns.iter().filter_map(Value::as_str).any(|pattern| matches(pattern, action)))
    };
    Some(roles.iter().any(|role| any(role, "actions") && !any(role, "notActions")))
}

/// `*` stands for any text; case does not matter.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = action.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WRITE: &str = "Microsoft.Compute/virtualMachineScaleSets/write";

    #[test]
    fn patterns_and_exceptions_are_heeded() {
        for (actions, not_actions, allowed) in [
            (json!(["*"]), json!([]), true),
            (json!(["Microsoft.Compute/*"]), json!([]), true),
            (json!(["microsoft.compute/virtualmachinescalesets/WRITE"]), json!([]), true),
            (json!(["*/read"]), json!([]), false),
            (json!(["*"]), json!(["Microsoft.Compute/*/write"]), false),
            (json!(["Microsoft.Compute/virtualMachineScaleSets"]), json!([]), false),
            (json!([]), json!([]), false),
        ] {
            let list = json!({"value": [{"actions": actions, "notActions": not_actions}]});
            assert_eq!(allow(&list, WRITE), Some(allowed), "{list}");
        }
        assert_eq!(allow(&json!({}), WRITE), None);
    }
}
