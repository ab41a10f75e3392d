//! What waits for a person.

use crate::detail::Answers;
use crate::mark::Severity;
use crate::store::store;
use crate::wire::Entry;
use crate::{format, route};
use leptos::prelude::*;

/// Acts that wait for an answer, longest first.
#[component]
pub fn Approvals() -> impl IntoView {
    let store = store();
    let waiting = Memo::new(move |_| store.waiting());
    view! {
        <section class="panel approvals" aria-labelledby="approvals">
            <div class="panel-head">
                <h2 id="approvals">"Waits for you"</h2>
                <span class="small quiet num">{move || waiting.with(Vec::len)}</span>
            </div>
            <div class="scroll">
                {move || waiting.with(Vec::is_empty).then(|| view! {
                    <p class="empty">"Nothing waits for you. Acts of severity 1 and 2, and every act of an agent in Assist, ask here before they happen."</p>
                })}
                <For each=move || waiting.get() key=|e| (e.id.clone(), e.digest.clone()) let(entry)>
                    <Card entry=entry />
                </For>
            </div>
        </section>
    }
}

#[component]
fn Card(entry: Entry) -> impl IntoView {
    let store = store();
    let deadline = entry.deadline_ms;
    let left = move || deadline.map(|at| format!("expires in {}", format::span(at - store.clock.with(|c| c.now_ms))));
    view! {
        <article class="card" data-entry=entry.id.clone()>
            <p class="line"><Severity grade=entry.severity /><b>{entry.action.clone()}</b></p>
            <p>{entry.sentence.clone()}</p>
            <p class="small"><span class="asks">"◆ "{entry.asked_because.clone()}</span>" "<span class="quiet num">{left}</span></p>
            <p class="small"><a href=route::incident(&entry.incident)>"Evidence: "{entry.incident.clone()}</a></p>
            <Answers entry=entry.clone() />
        </article>
    }
}
