//! Label and field selectors.

use super::status::Status;
use serde_json::Value;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    /// `metadata.name` and `metadata.namespace`, equal or not.
    fields: Vec<(&'static str, String, bool)>,
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    pub fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Status> {
        let labels = split(labels.unwrap_or_default()).into_iter().map(|text| requirement(text.trim())).collect::<Result<_, _>>()?;
        let fields = split(fields.unwrap_or_default()).into_iter().map(|text| field(text.trim())).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        let one_of = |key: &str, wanted: &[String]| value(key).is_some_and(|value| wanted.iter().any(|w| w == value));
        self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, wanted) => one_of(key, wanted),
            Requirement::NotIn(key, unwanted) => !one_of(key, unwanted),
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Missing(key) => value(key).is_none(),
        }) && self.fields.iter().all(|(field, wanted, equal)| (object["metadata"][*field].as_str() == Some(wanted)) == *equal)
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !text[from..].trim().is_empty() {
        parts.push(&text[from..]);
    }
    parts
}

fn requirement(text: &str) -> Result<Requirement, Status> {
    let key = |key: &str| {
        let key = key.trim();
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
        plain.then(|| key.to_owned()).ok_or_else(|| Status::bad_request(format!("unable to parse requirement: `{text}`")))
    };
    let set = |values: &str| -> Option<Vec<String>> {
        Some(values.trim().strip_prefix('(')?.strip_suffix(')')?.split(',').map(|v| v.trim().to_owned()).collect())
    };
    let bad = || Status::bad_request(format!("unable to parse requirement: `{text}`"));
    if let Some((name, values)) = text.split_once(" notin ") {
        return Ok(Requirement::NotIn(key(name)?, set(values).ok_or_else(bad)?));
    }
    if let Some((name, values)) = text.split_once(" in ") {
        return Ok(Requirement::In(key(name)?, set(values).ok_or_else(bad)?));
    }
    if let Some((name, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key(name)?, vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(key(name)?, vec![value.trim().to_owned()]));
    }
    match text.strip_prefix('!') {
        Some(name) => Ok(Requirement::Missing(key(name)?)),
        None => Ok(Requirement::Exists(key(text)?)),
    }
}

fn field(text: &str) -> Result<(&'static str, String, bool), Status> {
    let (name, value, equal) = match text.split_once("!=") {
        Some((name, value)) => (name, value, false),
        None => {
            let (name, value) = text
                .split_once("==")
                .or_else(|| text.split_once('='))
                .ok_or_else(|| Status::bad_request(format!("invalid field selector `{text}`")))?;
            (name, value, true)
        }
    };
    match name {
        "metadata.name" => Ok(("name", value.to_owned(), equal)),
        "metadata.namespace" => Ok(("namespace", value.to_owned(), equal)),
        other => Err(Status::bad_request(format!("field label not supported: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_select() {
        let object = json!({"metadata": {"name": "a", "namespace": "shop", "labels": {"app": "cart", "picket.dev/tier": "1"}}});
        let selects = |labels: &str| Selector::parse(Some(labels), None).unwrap().matches(&object);
        for yes in ["app=cart", "app==cart,picket.dev/tier", "app in (pay, cart)", "app notin (pay,db),!x", "app!=pay", ""] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["app=pay", "x", "!app", "app in (pay)", "app notin (cart)", "app!=cart"] {
            assert!(!selects(no), "{no}");
        }
        assert!(Selector::parse(Some("a b"), None).is_err());
        assert!(Selector::parse(None, Some("metadata.name=a,metadata.namespace!=media")).unwrap().matches(&object));
        assert!(Selector::parse(None, Some("status.phase=Running")).is_err());
    }
}
