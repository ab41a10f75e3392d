//! Watches: one JSON line per change, until the client leaves, the time is over, or the changes asked for are no longer kept.

use super::resource::Place;
use super::selector::Selector;
use super::server::{Parameters, Server, selector};
use super::status::Status;
use crate::store::{ChangeType, ObjectKey, StoreEvent};
use axum::body::{Body, Bytes};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// A watch without `timeoutSeconds` ends after this long, as in the real server.
const TIMEOUT_S: u64 = 1800;

struct Watch {
    server: Server,
    changed: tokio::sync::watch::Receiver<u64>,
    api_version: String,
    kind: &'static str,
    namespace: Option<String>,
    selector: Selector,
    /// The last version that was looked at.
    seen: u64,
    /// Which objects the client was told of, or would not have been.
    told: HashMap<ObjectKey, bool>,
    lines: VecDeque<Bytes>,
    ends_at: Instant,
    ended: bool,
}

/// Starts a watch.
pub(super) fn start(server: &Server, place: &Place, parameters: &Parameters) -> Result<Response, Status> {
    let number = |key: &str| match parameters.get(key).map(String::as_str) {
        None | Some("") => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| Status::bad_request(format!("{key}: Invalid value: \"{text}\""))),
    };
    let (from, timeout_s) = (number("resourceVersion")?.unwrap_or(0), number("timeoutSeconds")?.unwrap_or(TIMEOUT_S));
    let cluster = server.lock();
    let store = &cluster.store;
    let mut watch = Watch {
        server: server.clone(),
        changed: store.subscribe(),
        api_version: place.resource.api_version(),
        kind: place.resource.kind,
        namespace: place.namespace.clone(),
        selector: selector(parameters)?,
        seen: from,
        told: HashMap::new(),
        lines: VecDeque::new(),
        ends_at: Instant::now() + Duration::from_secs(timeout_s.min(TIMEOUT_S)),
        ended: false,
    };
    if from == 0 {
        // Without a version: first everything that there is.
        for object in store.list(&watch.api_version, watch.kind, watch.namespace.as_deref()) {
            let matches = watch.selector.matches(&object);
            if let Some(key) = ObjectKey::of(&object) {
                watch.told.insert(key, matches);
            }
            if matches {
                watch.lines.push_back(line("ADDED", &object));
            }
        }
        watch.seen = store.revision();
    }
    drop(cluster);
    let stream = futures::stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    let response = Response::builder().header("content-type", "application/json").body(Body::from_stream(stream));
    response.map_err(|e| Status::bad_request(e.to_string()))
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            // Marked as seen before the store is read: a change in between wakes it again.
            self.changed.borrow_and_update();
            self.read_changes();
            if !self.lines.is_empty() {
                continue;
            }
            match tokio::time::timeout_at(self.ends_at, self.changed.changed()).await {
                Ok(Ok(())) => {}
                _ => self.ended = true, // Time is over, or the cluster is gone.
            }
        }
    }

    fn read_changes(&mut self) {
        let events = self.server.lock().store.events_after(self.seen);
        match events {
            Ok(events) => {
                for event in events {
                    self.seen = event.resource_version;
                    self.tell(&event);
                }
            }
            Err(error) => {
                self.lines.push_back(line("ERROR", &Status::expired(error.to_string()).body()));
                self.ended = true;
            }
        }
    }

    fn tell(&mut self, event: &StoreEvent) {
        let key = &event.key;
        if key.api_version != self.api_version || key.kind != self.kind || self.namespace.as_ref().is_some_and(|n| *n != key.namespace) {
            return;
        }
        let matches = self.selector.matches(&event.object);
        let was = self.told.get(key).copied();
        let word = match (event.change, matches, was) {
            (ChangeType::Deleted, _, Some(false)) | (ChangeType::Added, false, _) | (_, false, Some(false)) => None,
            (ChangeType::Deleted, ..) => Some("DELETED"),
            // It is no longer selected. What it was before this watch is not known: a client passes over the end of what it does not have.
            (ChangeType::Modified, false, _) => Some("DELETED"),
            (ChangeType::Modified, true, Some(false)) => Some("ADDED"),
            (change, true, _) => Some(change.as_str()),
        };
        if event.change == ChangeType::Deleted {
            self.told.remove(key);
        } else {
            self.told.insert(key.clone(), matches);
        }
        if let Some(word) = word {
            self.lines.push_back(line(word, &event.object));
        }
    }
}

fn line(word: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": word, "object": object}).to_string();
    text.push('\n');
    Bytes::from(text)
}
