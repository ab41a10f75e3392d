//! The overview.

use crate::approvals::Approvals;
use crate::detail::Detail;
use crate::dialog::Dialog;
use crate::gates::{Gates, Invariants};
use crate::incidents::Incidents;
use crate::leases::Leases;
use crate::ledger::Ledger;
use crate::route::Route;
use crate::store::{Link, Store, store};
use crate::strip::Strip;
use crate::{format, keys, live, mark};
use leptos::ev::hashchange;
use leptos::prelude::*;

/// The whole page.
#[component]
pub fn Page() -> impl IntoView {
    let store = Store::new();
    provide_context(store);
    live::listen(store);
    keys::listen(store);
    let moved = window_event_listener(hashchange, move |_| store.route.set(Route::read()));
    on_cleanup(move || moved.remove());
    Effect::new(move |_| {
        if let Route::Section(id) = store.route.get()
            && let Some(element) = document().get_element_by_id(if id.is_empty() { "top" } else { &id })
        {
            element.scroll_into_view();
        }
    });
    view! {
        <div id="top"></div>
        <Strip />
        <main>
            <HeadlineLine />
            <div class="watch">
                <Incidents />
                <Detail />
                <div class="aside">
                    <Approvals />
                    <Leases />
                </div>
            </div>
            <Ledger />
            <Gates />
            <Invariants />
        </main>
        <Foot />
        <Dialog />
    }
}

#[component]
fn HeadlineLine() -> impl IntoView {
    let store = store();
    let fault = move || {
        let fault = store.clock.with(|c| c.fault.clone());
        match store.link.get() {
            Link::Connecting => Some("Connecting to the dashboard's server.".to_owned()),
            Link::Lost => Some(format!(
                "The dashboard's server is not heard: figures are as of {}. The page connects again by itself.",
                format::time(store.clock.with(|c| c.now_ms))
            )),
            Link::Live if !fault.is_empty() => Some(fault),
            Link::Live => None,
        }
    };
    view! {
        <div class="headline">
            <h1 aria-live="polite" class=move || mark::class(store.headline.with(|h| h.tone))>{move || store.headline.with(|h| h.text.clone())}</h1>
            {move || fault().map(|text| view! { <p class="fault asks" role="status"><span aria-hidden="true">"◆ "</span>{text}</p> })}
        </div>
    }
}

#[component]
fn Foot() -> impl IntoView {
    let store = store();
    view! {
        <footer>
            <span>
                {move || store.clock.with(|c| {
                    let leader = c.leader.map_or_else(|| "no leader".to_owned(), |id| format!("leader node {id}"));
                    let kind = if c.demonstration { ", demonstration certificates: no real actuator obeys these permits" } else { "" };
                    format!("Coordinator: {leader}, ledger revision {}, restore epoch {}{kind}.", c.revision, c.restore_epoch)
                })}
            </span>
            <span class="keys">
                <kbd>"g o"</kbd>" overview " <kbd>"g i"</kbd>" incidents " <kbd>"j"</kbd><kbd>"k"</kbd>" move " <kbd>"enter"</kbd>" open "
                <kbd>"a"</kbd>" approve " <kbd>"d"</kbd>" deny " <kbd>"/"</kbd>" search"
            </span>
        </footer>
    }
}
