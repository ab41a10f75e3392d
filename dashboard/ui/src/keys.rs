//! The keyboard: `g o`, `g i`, `/`, `j`, `k`, `enter`, `a`, `d`.

use crate::dialog::{Ask, Verb};
use crate::route;
use crate::store::Store;
use leptos::ev::keydown;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, KeyboardEvent};

/// Listens to the keyboard for as long as the page lives.
pub fn listen(store: Store) {
    let after_g = StoredValue::new(false);
    let handle = window_event_listener(keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || store.ask.with_untracked(Option::is_some) {
            return;
        }
        if is_typing(&event) {
            if event.key() == "Escape" {
                leave_field(&event);
            }
            return;
        }
        let key = event.key();
        let after = after_g.get_value();
        after_g.set_value(key == "g");
        match (after, key.as_str()) {
            (true, "o") => route::go("#/"),
            (true, "i") => {
                route::go("#/incidents");
                step(store, 0);
            }
            (false, "j") => step(store, 1),
            (false, "k") => step(store, -1),
            (false, "Enter") if !on_control(&event) => {
                if let Some(id) = store.cursor.get_untracked() {
                    route::go(&route::incident(&id));
                }
            }
            (false, "a") => answer(store, Verb::Approve),
            (false, "d") => answer(store, Verb::Deny),
            (false, "/") => {
                event.prevent_default();
                focus("search");
            }
            _ => {}
        }
    });
    on_cleanup(move || handle.remove());
}

fn tag(event: &KeyboardEvent) -> Option<HtmlElement> {
    event.target()?.dyn_into::<HtmlElement>().ok()
}

fn is_typing(event: &KeyboardEvent) -> bool {
    tag(event).is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

/// Enter on a button or a link is theirs.
fn on_control(event: &KeyboardEvent) -> bool {
    tag(event).is_some_and(|element| matches!(element.tag_name().as_str(), "BUTTON" | "A" | "SUMMARY"))
}

fn leave_field(event: &KeyboardEvent) {
    if let Some(element) = tag(event) {
        _ = element.blur();
    }
}

fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
        _ = element.focus();
    }
}

fn step(store: Store, by: isize) {
    let ids = untrack(|| store.shown_incidents());
    if ids.is_empty() {
        return;
    }
    // The keyboard is in the list now: rows keep their places.
    store.incidents.held.set(true);
    let now = store.cursor.get_untracked().and_then(|id| ids.iter().position(|other| *other == id));
    let next = match now {
        None => 0,
        Some(now) => now.saturating_add_signed(by).min(ids.len() - 1),
    };
    store.cursor.set(Some(ids[next].clone()));
    if let Some(row) = document().get_element_by_id(&format!("row-{}", ids[next])) {
        row.scroll_into_view_with_bool(false);
    }
}

/// Asks about the entry in view when it waits, else about the one that has waited longest.
fn answer(store: Store, verb: Verb) {
    let waiting = untrack(|| store.waiting());
    let here = untrack(|| store.selected());
    let entry = waiting.iter().find(|e| Some(&e.incident) == here.as_ref()).or_else(|| waiting.first());
    if let Some(entry) = entry {
        store.ask.set(Some(Ask::about(verb, entry, store.safety.with_untracked(|s| s.stop.epoch))));
    }
}
