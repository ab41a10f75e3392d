//! The list of incidents.

use crate::mark::{Mark, Severity};
use crate::store::{incident_rank, store};
use crate::wire::Incident;
use crate::{format, route};
use leptos::prelude::*;

/// The list. Its rows keep their places while the pointer is in it; new ones announce themselves.
#[component]
pub fn Incidents() -> impl IntoView {
    let store = store();
    let list = store.incidents;
    let open = move || list.items.with(|items| items.values().filter(|i| i.open).count());
    let pill = move || {
        let fresh = list.fresh();
        (fresh > 0).then(|| {
            let text = if fresh == 1 { "1 new incident: show".to_owned() } else { format!("{fresh} new incidents: show") };
            view! { <button class="pill" id="fresh" on:click=move |_| list.arrange(incident_rank)>{text}</button> }
        })
    };
    view! {
        <section class="panel incidents" aria-labelledby="incidents" on:mouseenter=move |_| list.held.set(true) on:mouseleave=move |_| list.held.set(false)>
            <div class="panel-head">
                <h2 id="incidents">"Incidents"</h2>
                <span class="small quiet">{move || format!("{} open", open())}</span>
                {pill}
                <input id="search" type="search" placeholder="search" aria-label="Search incidents" on:input=move |event| store.filter.set(event_target_value(&event).to_lowercase()) />
            </div>
            <div class="scroll">
                <ol class="rows">
                    <For each=move || store.shown_incidents() key=Clone::clone let(id)>
                        <Row id=id />
                    </For>
                </ol>
                {move || store.shown_incidents().is_empty().then(|| {
                    let text = if store.filter.with(String::is_empty) {
                        "No incident yet. When a service leaves its baseline, its incident appears here with the cause, the evidence and what is done about it."
                    } else {
                        "No incident fits the search. Clear it to see them all."
                    };
                    view! { <p class="empty">{text}</p> }
                })}
            </div>
        </section>
    }
}

#[component]
fn Row(id: String) -> impl IntoView {
    let store = store();
    let key = id.clone();
    let incident = Memo::new(move |_| store.incidents.get(&key).unwrap_or_default());
    let (here, at) = (id.clone(), id.clone());
    let chosen = Memo::new(move |_| store.selected().as_ref() == Some(&here));
    let cursor = Memo::new(move |_| store.cursor.with(|c| c.as_ref() == Some(&at)));
    view! {
        <li
            id=format!("row-{id}")
            class="row"
            class:chosen=chosen
            class:cursor=cursor
            data-incident=id.clone()
            data-state=move || incident.with(|i| i.state.id.clone())
            data-over=move || incident.with(|i| i.state.over.to_string())
        >
            <a href=route::incident(&id) aria-current=move || chosen.get().then_some("true")>{move || incident.with(line)}</a>
        </li>
    }
}

fn line(of: &Incident) -> impl IntoView + use<> {
    view! {
        <span class="line">
            <Severity grade=of.severity />
            <b>{format::short_service(&of.service)}</b>
            <span class="small quiet">{format::place(&of.service)}</span>
            <time class="small quiet num" title=format::time_in_full(of.opened_at_ms)>{format::time(of.opened_at_ms)}</time>
        </span>
        <span class="line">
            <Mark state=of.state.clone() />
            <span class="small quiet clip">{of.diagnosis.as_ref().and_then(|d| d.cause.clone()).unwrap_or_else(|| of.symptoms.join(", "))}</span>
        </span>
    }
}
