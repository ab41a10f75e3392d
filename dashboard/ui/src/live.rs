//! Listens to the server's events. The browser resumes by itself with the last number that it saw.

use crate::store::{Link, Store};
use crate::wire::{Delta, Snapshot};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

/// Pause before a refused connection is tried anew.
const REOPEN: Duration = Duration::from_secs(3);

/// Listens from now on, for as long as the page lives.
pub fn listen(store: Store) {
    let Ok(source) = EventSource::new("/api/events") else {
        store.link.set(Link::Lost);
        return;
    };
    on(&source, "snapshot", move |event| {
        if let Some(whole) = read::<Snapshot>(&event) {
            store.replace(whole);
            store.link.set(Link::Live);
        }
    });
    on(&source, "delta", move |event| {
        if let Some(delta) = read::<Delta>(&event) {
            store.apply(delta);
            if store.link.get_untracked() != Link::Live {
                store.link.set(Link::Live);
            }
        }
    });
    let of_error = source.clone();
    on(&source, "error", move |_| {
        store.link.set(Link::Lost);
        // After an HTTP error the browser gives up for good; after a broken connection it does not.
        if of_error.ready_state() == EventSource::CLOSED {
            set_timeout(move || listen(store), REOPEN);
        }
    });
}

fn on(source: &EventSource, name: &str, handle: impl Fn(MessageEvent) + 'static) {
    let closure = Closure::<dyn Fn(MessageEvent)>::new(handle);
    // Adding a listener fails for no input of ours.
    _ = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    // It lives as long as the page.
    closure.forget();
}

fn read<T: serde::de::DeserializeOwned>(event: &MessageEvent) -> Option<T> {
    let text = event.data().as_string()?;
    match serde_json::from_str(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            leptos::logging::error!(
                "what the server said cannot be read: {error}. Reload the page: server and page may be of different builds"
            );
            None
        }
    }
}
