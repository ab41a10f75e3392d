//! Every state has an address: `#/incident/ID`, `#/entry/ID`, and a section's own name.

use leptos::prelude::window;

/// Where the reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A part of the overview, by the id of its heading; empty for the top.
    Section(String),
    /// One incident.
    Incident(String),
    /// One ledger entry.
    Entry(String),
}

impl Route {
    /// Reads the address.
    pub fn read() -> Self {
        let hash = window().location().hash().unwrap_or_default();
        let path = hash.trim_start_matches('#').trim_start_matches('/');
        match path.split_once('/') {
            Some(("incident", id)) if !id.is_empty() => Self::Incident(id.to_owned()),
            Some(("entry", id)) if !id.is_empty() => Self::Entry(id.to_owned()),
            _ => Self::Section(path.to_owned()),
        }
    }
}

/// The address of an incident.
pub fn incident(id: &str) -> String {
    format!("#/incident/{id}")
}

/// The address of an entry.
pub fn entry(id: &str) -> String {
    format!("#/entry/{id}")
}

/// Goes there.
pub fn go(address: &str) {
    // The address is one of ours; a browser refuses none of them.
    _ = window().location().set_hash(address);
}
