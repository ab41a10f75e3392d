//! What the page knows, and in which order it shows it.
//!
//! Order is a thing of its own: data change in place at once, but rows are put in another order only when nobody is about to
//! click one of them, so that nothing moves under the pointer.

use crate::dialog::Ask;
use crate::route::Route;
use crate::wire::{Clock, Delta, Entry, Freshness, Headline, Incident, Lease, Safety, Snapshot};
use leptos::prelude::*;
use std::collections::HashMap;

/// Whether the server is heard.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Not yet.
    #[default]
    Connecting,
    /// Yes.
    Live,
    /// Not any more; the browser tries again by itself.
    Lost,
}

/// A list whose order waits for the reader.
pub struct List<T: Send + Sync + 'static> {
    /// By id.
    pub items: RwSignal<HashMap<String, T>>,
    /// Shown, in this order.
    pub order: RwSignal<Vec<String>>,
    /// The pointer or the keyboard is in it.
    pub held: RwSignal<bool>,
}

// By hand: a derive would ask `T: Copy`, and only handles are copied.
impl<T: Send + Sync + 'static> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Send + Sync + 'static> Copy for List<T> {}

impl<T: Clone + Send + Sync + 'static> List<T> {
    fn new() -> Self {
        Self { items: RwSignal::default(), order: RwSignal::default(), held: RwSignal::new(false) }
    }

    /// One item, followed.
    pub fn get(&self, id: &str) -> Option<T> {
        self.items.with(|items| items.get(id).cloned())
    }

    /// How many are not shown yet.
    pub fn fresh(&self) -> usize {
        self.items.with(|items| self.order.with(|order| items.keys().filter(|id| !order.contains(id)).count()))
    }

    fn change(&self, changed: Vec<T>, gone: &[String], id: impl Fn(&T) -> String) {
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        self.items.update(|items| {
            items.extend(changed.into_iter().map(|item| (id(&item), item)));
            for id in gone {
                items.remove(id);
            }
        });
        if !gone.is_empty() {
            self.order.update(|order| order.retain(|id| !gone.contains(id)));
        }
    }

    /// Puts everything in order now.
    pub fn arrange<K: Ord>(&self, key: impl Fn(&T) -> K) {
        let mut ids: Vec<(K, String)> = self.items.with_untracked(|items| items.iter().map(|(id, item)| (key(item), id.clone())).collect());
        ids.sort();
        let order: Vec<String> = ids.into_iter().map(|(_, id)| id).collect();
        if self.order.with_untracked(|now| *now != order) {
            self.order.set(order);
        }
    }

    fn arrange_if_free<K: Ord>(&self, key: impl Fn(&T) -> K) {
        if !self.held.get_untracked() || self.order.with_untracked(Vec::is_empty) {
            self.arrange(key);
        }
    }
}

/// Open first, newest first.
pub fn incident_rank(incident: &Incident) -> (bool, std::cmp::Reverse<i64>) {
    (incident.state.over, std::cmp::Reverse(incident.opened_at_ms))
}

/// In flight first, newest first.
pub fn entry_rank(entry: &Entry) -> (bool, std::cmp::Reverse<i64>) {
    (entry.state.over, std::cmp::Reverse(entry.history.first().map_or(0, |(at, _)| *at)))
}

/// Everything the page knows.
#[derive(Copy, Clone)]
pub struct Store {
    /// The coordinator's clock.
    pub clock: RwSignal<Clock>,
    /// The sentence.
    pub headline: RwSignal<Headline>,
    /// The strip.
    pub safety: RwSignal<Safety>,
    /// Freshness by cluster.
    pub freshness: RwSignal<Freshness>,
    /// Leases.
    pub leases: RwSignal<Vec<Lease>>,
    /// Incidents.
    pub incidents: List<Incident>,
    /// Ledger entries.
    pub entries: List<Entry>,
    /// The connection.
    pub link: RwSignal<Link>,
    /// Where the reader is.
    pub route: RwSignal<Route>,
    /// What the search box says, lower case.
    pub filter: RwSignal<String>,
    /// The incident row that the keyboard is on.
    pub cursor: RwSignal<Option<String>>,
    /// What is being asked.
    pub ask: RwSignal<Option<Ask>>,
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            clock: RwSignal::default(),
            headline: RwSignal::default(),
            safety: RwSignal::default(),
            freshness: RwSignal::default(),
            leases: RwSignal::default(),
            incidents: List::new(),
            entries: List::new(),
            link: RwSignal::default(),
            route: RwSignal::new(Route::read()),
            filter: RwSignal::default(),
            cursor: RwSignal::default(),
            ask: RwSignal::default(),
        }
    }

    /// Takes everything anew.
    pub fn replace(&self, whole: Snapshot) {
        let kept: Vec<String> = whole.incidents.iter().map(|i| i.id.clone()).collect();
        let kept_entries: Vec<String> = whole.entries.iter().map(|e| e.id.clone()).collect();
        let gone = self.incidents.items.with_untracked(|i| i.keys().filter(|id| !kept.contains(id)).cloned().collect());
        let entries_gone = self.entries.items.with_untracked(|e| e.keys().filter(|id| !kept_entries.contains(id)).cloned().collect());
        self.apply(Delta {
            clock: Some(whole.clock),
            headline: Some(whole.headline),
            safety: Some(whole.safety),
            freshness: Some(whole.freshness),
            leases: Some(whole.leases),
            incidents: whole.incidents,
            incidents_gone: gone,
            entries: whole.entries,
            entries_gone,
        });
    }

    /// Takes a change.
    pub fn apply(&self, delta: Delta) {
        if let Some(clock) = delta.clock {
            self.clock.set(clock);
        }
        if let Some(headline) = delta.headline {
            self.headline.set(headline);
        }
        if let Some(safety) = delta.safety {
            self.safety.set(safety);
        }
        if let Some(freshness) = delta.freshness {
            self.freshness.set(freshness);
        }
        if let Some(leases) = delta.leases {
            self.leases.set(leases);
        }
        self.incidents.change(delta.incidents, &delta.incidents_gone, |i| i.id.clone());
        self.entries.change(delta.entries, &delta.entries_gone, |e| e.id.clone());
        self.incidents.arrange_if_free(incident_rank);
        self.entries.arrange_if_free(entry_rank);
    }

    /// Incident ids that the search lets through, in order.
    pub fn shown_incidents(&self) -> Vec<String> {
        let filter = self.filter.get();
        let order = self.incidents.order.get();
        if filter.is_empty() {
            return order;
        }
        self.incidents.items.with(|items| {
            let fits = |i: &Incident| {
                [&i.id, &i.service, &i.sentence, &i.state.words, &i.agent].iter().any(|text| text.to_lowercase().contains(&filter))
            };
            order.into_iter().filter(|id| items.get(id).is_some_and(fits)).collect()
        })
    }

    /// The incident whose detail is shown: the one in the address, else the first.
    pub fn selected(&self) -> Option<String> {
        match self.route.get() {
            Route::Incident(id) => Some(id),
            Route::Entry(id) => self.entries.get(&id).map(|e| e.incident),
            Route::Section(_) => self.shown_incidents().into_iter().next(),
        }
    }

    /// Entries that wait for a person's answer, oldest first.
    pub fn waiting(&self) -> Vec<Entry> {
        let mut waiting: Vec<Entry> =
            self.entries.items.with(|items| items.values().filter(|e| e.can.iter().any(|can| can == "approve")).cloned().collect());
        waiting.sort_by_key(|e| (e.history.first().map_or(0, |(at, _)| *at), e.id.clone()));
        waiting
    }
}

/// The store of this page.
pub fn store() -> Store {
    expect_context::<Store>()
}
