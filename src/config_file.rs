//! Reads the configuration file: YAML, environment variables in `${NAME}`, unknown keys named with their line and nearest neighbour.

use anyhow::{Context as _, bail};
use picket_core::config::Config;
use std::path::Path;

/// Largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads, checks and completes a configuration.
///
/// # Errors
/// One line that says what, where and what to do.
pub fn load(path: &Path) -> anyhow::Result<Config> {
    let config = parse(path)?;
    let problems = config.problems();
    if let Some(first) = problems.first() {
        let line = line_of(&std::fs::read_to_string(path)?, &first.key).map(|n| format!(" line {n}:")).unwrap_or_default();
        let more = if problems.len() > 1 { format!(" (and {} more: `picket config validate`)", problems.len() - 1) } else { String::new() };
        bail!("{}:{line} {first}{more}", path.display());
    }
    Ok(config)
}

/// Reads a configuration without checking its values.
///
/// # Errors
/// When the file cannot be read, is no YAML, or has a key that picket does not know.
pub fn parse(path: &Path) -> anyhow::Result<Config> {
    parse_text(&text_of(path)?).with_context(|| path.display().to_string())
}

/// Reads a file that the configuration names (docs of its key), by the same rules.
///
/// # Errors
/// When it cannot be read, is no YAML, or has a key that picket does not know.
pub fn part<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = substitute(&text_of(path)?, |name| std::env::var(name).ok());
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("{}: cannot be read", path.display()))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{}: {size} bytes, at most {FILE_BYTES_MAX} are read", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))
}

fn parse_text(text: &str) -> anyhow::Result<Config> {
    let text = substitute(text, |name| std::env::var(name).ok());
    serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}", explain(&error.to_string(), &text)))
}

/// Replaces `${NAME}`; an unset variable becomes empty text (the feature behind it is off).
fn substitute(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        // A value with a quote or line break could change the document's shape: it is escaped as inside double quotes.
        let value = variable(name).unwrap_or_default();
        out.push_str(&value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Names an unknown key with its line, and the nearest key that is known in its place.
fn explain(error: &str, text: &str) -> String {
    let first = error.lines().next().unwrap_or(error).to_owned();
    let Some((unknown, rest)) = error.split("unknown field `").nth(1).and_then(|rest| rest.split_once('`')) else { return first };
    let here = rest.lines().next().unwrap_or_default().split('`').skip(1).step_by(2).map(ToOwned::to_owned);
    let at = line_of_unknown(&first, text, unknown).map(|n| format!("line {n}: ")).unwrap_or_default();
    let everywhere = known_keys();
    let nearest = |keys: &mut dyn Iterator<Item = String>| keys.min_by_key(|known| distance(unknown, known));
    let hint = match nearest(&mut here.filter(|known| distance(unknown, known) <= unknown.len() / 3)) {
        Some(known) => format!("; the nearest known key is `{known}`"),
        None if everywhere.iter().any(|known| known == unknown) => "; that key belongs elsewhere (`picket config schema`)".to_owned(),
        None => nearest(&mut everywhere.into_iter()).map(|known| format!("; the nearest known key is `{known}`")).unwrap_or_default(),
    };
    format!("{at}unknown key `{unknown}`{hint}")
}

/// The parser's position is that of the key, or of the mapping that holds it.
fn line_of_unknown(error: &str, text: &str, unknown: &str) -> Option<usize> {
    let digits = error.split("line ").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?;
    let from = digits.parse::<usize>().ok()?.max(1);
    let is_it = |line: &str| line.trim_start().trim_start_matches("- ").trim_start_matches('"').starts_with(unknown);
    text.lines().enumerate().skip(from - 1).find(|(_, line)| is_it(line)).map(|(index, _)| index + 1).or(Some(from))
}

/// Every key of the tree, read off its schema.
fn known_keys() -> Vec<String> {
    fn walk(value: &serde_json::Value, keys: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                    keys.extend(properties.keys().cloned());
                }
                map.values().for_each(|v| walk(v, keys));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|v| walk(v, keys)),
            _ => {}
        }
    }
    let mut keys = Vec::new();
    walk(schemars::schema_for!(Config).as_value(), &mut keys);
    keys.sort();
    keys.dedup();
    keys
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// The line on which the last part of a dotted key stands.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut parts = key.split('.').peekable();
    let mut wanted = parts.next()?;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with(&format!("{wanted}:")) {
            match parts.next() {
                Some(next) => wanted = next,
                None => return Some(number + 1),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_neighbour() {
        let error = parse_text("safety:\n  policies:\n    cooldown_window_minuts: 5\n").unwrap_err().to_string();
        assert_eq!(error, "line 3: unknown key `cooldown_window_minuts`; the nearest known key is `cooldown_window_minutes`");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_named_on_its_own_line() {
        let text = "orchestration:\n  distributed_locks:\n    ttl_seconds: 60\ndiagnostics:\n  ttl_seconds: 5\n";
        let error = parse_text(text).unwrap_err().to_string();
        assert_eq!(error, "line 5: unknown key `ttl_seconds`; that key belongs elsewhere (`picket config schema`)");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line() {
        let error = parse_text("detection:\n  baseline_window: \"15 parsecs\"\n").unwrap_err().to_string();
        assert!(error.contains("15 parsecs") && error.contains('2'), "{error}");
    }

    #[test]
    fn variables_are_replaced_and_cannot_change_the_shape() {
        let text = substitute("a: \"${X}\"\nb: \"${Y}\"", |name| (name == "X").then(|| "1\"\nc: 2".to_owned()));
        assert_eq!(text, "a: \"1\\\"\\nc: 2\"\nb: \"\"");
    }

    #[test]
    fn a_key_is_found_on_its_line() {
        assert_eq!(line_of("a:\n  c: 1\nb:\n  c: 2\n", "b.c"), Some(4));
    }
}
