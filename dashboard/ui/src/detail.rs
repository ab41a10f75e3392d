//! The incident in view: the sentence first, then what proves it.

use crate::dialog::{Ask, Verb};
use crate::evidence::{Anomalies, EvidenceTable, Ranking};
use crate::mark::{Mark, Severity};
use crate::store::store;
use crate::wire::{Diagnosis, Entry, Incident, Rule};
use crate::{format, route};
use leptos::prelude::*;

/// The incident in view.
#[component]
pub fn Detail() -> impl IntoView {
    let store = store();
    let id = Memo::new(move |_| store.selected());
    let incident = Memo::new(move |_| id.get().and_then(|id| store.incidents.get(&id)));
    let entry = Memo::new(move |_| incident.with(|i| i.as_ref().and_then(|i| i.entry.clone())).and_then(|id| store.entries.get(&id)));
    view! {
        <section class="panel detail" aria-label="The incident in view">
            <div class="scroll">
                {move || match incident.get() {
                    Some(incident) => view! { <Story incident=incident entry=entry /> }.into_any(),
                    None => view! { <p class="empty">{empty(id.get())}</p> }.into_any(),
                }}
            </div>
        </section>
    }
}

fn empty(id: Option<String>) -> String {
    match id {
        Some(id) => format!("{id} is not among the incidents that are kept here. The audit log has its whole story: picket incident {id}."),
        None => "The incident in view is told here: a sentence, the evidence for and against, the other candidates, and the decision rule by rule.".to_owned(),
    }
}

#[component]
fn Story(incident: Incident, entry: Memo<Option<Entry>>) -> impl IntoView {
    let diagnosis = incident.diagnosis.clone();
    let others = incident.services.len().saturating_sub(1);
    view! {
        <header class="story">
            <p class="line small quiet">
                <Severity grade=incident.severity />
                <span>{incident.service.clone()}</span>
                <span>{incident.agent.clone()}</span>
                <a href=route::incident(&incident.id)>{incident.id.clone()}</a>
                <span class="num" title=format::time_in_full(incident.onset_ms)>{format!("began {}", format::time(incident.onset_ms))}</span>
                <span class="num">{format!("seen {} later", format::span(incident.opened_at_ms - incident.onset_ms))}</span>
            </p>
            <p class="sentence">{incident.sentence.clone()}</p>
            <p class="decision"><Mark state=incident.state.clone() /><span>{incident.decision.clone()}</span></p>
            {move || entry.get().map(|entry| view! { <Answers entry=entry /> })}
        </header>
        {diagnosis.map(|d| view! { <Proof diagnosis=d /> })}
        {move || entry.get().filter(|e| !e.rules.is_empty()).map(|e| view! { <Rules rules=e.rules.clone() entry=e.id /> })}
        <h3>"What was seen"</h3>
        <Anomalies anomalies=incident.anomalies.clone() more=incident.anomalies_more />
        {(others > 0).then(|| view! { <p class="small quiet">"Also on "{incident.services[1..].join(", ")}</p> })}
    }
}

/// The buttons that a person has on an entry.
#[component]
pub fn Answers(entry: Entry) -> impl IntoView {
    let store = store();
    let entry = StoredValue::new(entry);
    let press = move |verb| {
        let epoch = store.safety.with_untracked(|s| s.stop.epoch);
        store.ask.set(Some(entry.with_value(|entry| Ask::about(verb, entry, epoch))));
    };
    let can = move |verb: &str| entry.with_value(|e| e.can.iter().any(|can| can == verb));
    let any = entry.with_value(|e| !e.can.is_empty());
    any.then(|| {
        view! {
            <p class="answers">
                {can("approve").then(|| view! { <button class="primary" on:click=move |_| press(Verb::Approve)>"Approve…"</button> })}
                {can("deny").then(|| view! { <button on:click=move |_| press(Verb::Deny)>"Deny…"</button> })}
                {can("undo").then(|| view! { <button on:click=move |_| press(Verb::Undo)>"Take it back…"</button> })}
                <code class="small quiet" title="The digest of exactly this act: what an approval names">{entry.with_value(|e| format::short_digest(&e.digest))}</code>
            </p>
        }
    })
}

#[component]
fn Proof(diagnosis: Diagnosis) -> impl IntoView {
    let verdict = match (&diagnosis.cause, &diagnosis.abstained) {
        (Some(cause), _) => format!("{cause} in {}, {} sure", diagnosis.service, format::percent(diagnosis.confidence)),
        (None, Some(why)) => format!("Picket abstains: {why}"),
        (None, None) => "Picket abstains".to_owned(),
    };
    let documents = diagnosis.documents.join(", ");
    let cost = if diagnosis.cost_usd > 0.0 { format!(", {:.3} USD", diagnosis.cost_usd) } else { String::new() };
    view! {
        <h3>"Why"</h3>
        <p>{verdict}{diagnosis.action.clone().map(|action| format!("; remedy: {action}"))}"."</p>
        <EvidenceTable evidence=diagnosis.evidence.clone() />
        <h3>"Why not another cause"</h3>
        <Ranking ranking=diagnosis.ranking.clone() />
        <p class="small quiet">
            {(!documents.is_empty()).then(|| format!("Runbooks: {documents}. "))}
            {format!("Reasoned by {} in {:.0} ms{cost}, {}.", diagnosis.reasoner, diagnosis.latency_ms, format::time(diagnosis.at_ms))}
        </p>
    }
}

#[component]
fn Rules(rules: Vec<Rule>, entry: String) -> impl IntoView {
    view! {
        <h3>"The decision, rule by rule"</h3>
        <ul class="rules">
            {rules.into_iter().map(|rule| {
                let (class, shape, word) = if rule.holds { ("holds", "✓", "holds") } else { ("bad", "▲", "broken") };
                view! {
                    <li class=class>
                        <span class="small" aria-hidden="true">{shape}</span>
                        <span>{rule.rule}{(!rule.reason.is_empty()).then(|| format!(": {}", rule.reason))}</span>
                        <span class="small quiet">{word}{(!rule.invariant.is_empty()).then(|| format!(", {}", rule.invariant))}</span>
                    </li>
                }
            }).collect_view()}
        </ul>
        <p class="small"><a href=route::entry(&entry)>"The entry in the ledger: "{entry.clone()}</a></p>
    }
}
