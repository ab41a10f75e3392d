//! The files: `groundtruth/NAME.yaml` (what alerted and what was behind it, bare or below `spec`) and `scenarios/NAME.json` (of which
//! only the category is used). A name may have either of them alone.

use super::report::ItBenchError;
use crate::{Dataset, DatasetError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a file.
const FILE_MAX: u64 = 1 << 20;
/// Scenarios of a set.
const SCENARIOS_MAX: usize = 10_000;
/// Values of a truth, what its aliases repeat among them.
const NODES_MAX: usize = 50_000;
/// Entries of a list.
const LIST_MAX: usize = 500;

/// Entities that are one thing under different names.
pub(super) struct Group {
    pub id: String,
    pub kind: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    /// Regular expressions of its entities' names.
    pub filters: Vec<String>,
    pub root_cause: bool,
}

/// One alert, on a group where it says so.
pub(super) struct Alert {
    pub id: String,
    pub group: Option<String>,
}

/// What is known of an incident afterwards.
pub(super) struct Truth {
    pub groups: Vec<Group>,
    pub alerts: Vec<Alert>,
    /// Ids of groups that count as the same.
    pub aliases: Vec<Vec<String>>,
}

/// One scenario.
#[derive(Default)]
pub(super) struct Scenario {
    /// `sre` or `finops`.
    pub category: Option<String>,
    pub truth: Option<Truth>,
}

/// A value with its place.
struct At<'a> {
    path: &'a Path,
    key: String,
    value: &'a Value,
}

impl<'a> At<'a> {
    fn wrong(&self, why: &str) -> DatasetError {
        let key = if self.key.is_empty() { "the whole" } else { &self.key };
        DatasetError::Malformed { path: self.path.to_owned(), line: 0, why: format!("{key}: {why}") }
    }

    /// Null where it is absent.
    fn get(&self, name: &str) -> At<'a> {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        At { path: self.path, key, value: self.value.get(name).unwrap_or(&Value::Null) }
    }

    /// Nothing where it is absent.
    fn list(&self) -> Result<Vec<At<'a>>, DatasetError> {
        let entries = match self.value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(entries) if entries.len() <= LIST_MAX => entries,
            Value::Array(_) => return Err(self.wrong(&format!("more than {LIST_MAX} entries"))),
            _ => return Err(self.wrong("a list is expected")),
        };
        let entry = |(number, value)| At { path: self.path, key: format!("{}[{number}]", self.key), value };
        Ok(entries.iter().enumerate().map(entry).collect())
    }

    fn text_if_any(&self) -> Result<Option<String>, DatasetError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(self.wrong("a text is expected")),
        }
    }

    fn text(&self) -> Result<String, DatasetError> {
        self.text_if_any()?.filter(|text| !text.is_empty()).ok_or_else(|| self.wrong("a text is expected, and there is none"))
    }

    /// One text is a list of one.
    fn texts(&self) -> Result<Vec<String>, DatasetError> {
        if self.value.is_string() {
            return Ok(vec![self.text()?]);
        }
        self.list()?.iter().map(At::text).collect()
    }

    fn flag(&self) -> Result<bool, DatasetError> {
        match self.value {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.wrong("true or false is expected")),
        }
    }
}

fn content(path: &Path) -> Result<String, DatasetError> {
    let io = |error| DatasetError::Io { path: path.to_owned(), error };
    let wrong = |why: String| DatasetError::Malformed { path: path.to_owned(), line: 0, why };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(wrong(format!("it is longer than {FILE_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|e| wrong(format!("it is no UTF-8: {e}")))
}

fn group(at: &At<'_>) -> Result<Group, DatasetError> {
    Ok(Group {
        id: at.get("id").text()?,
        kind: at.get("kind").text_if_any()?,
        namespace: at.get("namespace").text_if_any()?,
        name: at.get("name").text_if_any()?,
        filters: at.get("filter").texts()?,
        root_cause: at.get("root_cause").flag()?,
    })
}

fn truth(path: &Path) -> Result<Truth, DatasetError> {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_nodes: NODES_MAX }, with_snippet: false };
    let value: Value = serde_saphyr::from_str_with_options(&content(path)?, options).map_err(|error| DatasetError::Malformed {
        path: path.to_owned(),
        line: error.location().map_or(0, |at| at.line() as usize),
        why: error.to_string(),
    })?;
    let whole = At { path, key: String::new(), value: &value };
    let spec = whole.get("spec");
    let spec = if spec.value.is_null() { whole } else { spec };
    let groups: Vec<_> = spec.get("groups").list()?.iter().map(group).collect::<Result<_, _>>()?;
    if groups.is_empty() {
        return Err(spec.get("groups").wrong("a list of groups is expected, and there is none"));
    }
    let alert = |at: &At<'_>| Ok(Alert { id: at.get("id").text()?, group: at.get("group_id").text_if_any()? });
    Ok(Truth {
        groups,
        alerts: spec.get("alerts").list()?.iter().map(alert).collect::<Result<_, DatasetError>>()?,
        aliases: spec.get("aliases").list()?.iter().map(At::texts).collect::<Result<_, _>>()?,
    })
}

fn category(path: &Path) -> Result<Option<String>, DatasetError> {
    let wrong = |e: serde_json::Error| DatasetError::Malformed { path: path.to_owned(), line: e.line(), why: e.to_string() };
    let value: Value = serde_json::from_str(&content(path)?).map_err(wrong)?;
    At { path, key: String::new(), value: &value }.get("category").text_if_any()
}

/// Every scenario by its name: where its folders lie below the set, and what its files are called.
pub(super) fn scenarios(set: &Dataset) -> Result<BTreeMap<String, Scenario>, ItBenchError> {
    let mut found: BTreeMap<String, Scenario> = BTreeMap::new();
    for path in set.files()? {
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let end = path.extension().and_then(|end| end.to_str());
        let home = path.parent().and_then(Path::parent).and_then(|home| home.strip_prefix(set.folder()).ok());
        let (Some(home), Some(stem)) = (home, path.file_stem()) else { continue };
        let name = home.join(stem).display().to_string();
        match (folder, end) {
            (Some("groundtruth"), Some("yaml" | "yml")) => {
                let scenario = found.entry(name).or_default();
                if scenario.truth.is_some() {
                    let why = "its scenario has another truth".to_owned();
                    return Err(DatasetError::Malformed { path, line: 0, why }.into());
                }
                scenario.truth = Some(truth(&path)?);
            }
            (Some("scenarios"), Some("json")) => found.entry(name).or_default().category = category(&path)?,
            _ => {}
        }
        if found.len() > SCENARIOS_MAX {
            let why = format!("more than {SCENARIOS_MAX} scenarios");
            return Err(DatasetError::Malformed { path: set.folder().to_owned(), line: 0, why }.into());
        }
    }
    if found.values().all(|scenario| scenario.truth.is_none()) {
        let what = "groundtruth/NAME.yaml".to_owned();
        return Err(DatasetError::Missing { path: set.folder().to_owned(), what }.into());
    }
    Ok(found)
}
