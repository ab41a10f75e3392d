//! The ledger: every act in flight and the newest ones that are over, each with every state it was in.

use crate::detail::Answers;
use crate::mark::{Mark, Severity};
use crate::route::Route;
use crate::store::{entry_rank, store};
use crate::wire::Entry;
use crate::{format, route};
use leptos::prelude::*;

/// The ledger.
#[component]
pub fn Ledger() -> impl IntoView {
    let store = store();
    let list = store.entries;
    let flying = move || list.items.with(|items| items.values().filter(|e| !e.state.over).count());
    let pill = move || {
        let fresh = list.fresh();
        (fresh > 0).then(|| {
            let text = if fresh == 1 { "1 new entry: show".to_owned() } else { format!("{fresh} new entries: show") };
            view! { <button class="pill" on:click=move |_| list.arrange(entry_rank)>{text}</button> }
        })
    };
    view! {
        <section class="panel ledger" aria-labelledby="ledger" on:mouseenter=move |_| list.held.set(true) on:mouseleave=move |_| list.held.set(false)>
            <div class="panel-head">
                <h2 id="ledger" title="Every proposal becomes an entry; no act exists outside it">"Ledger"</h2>
                <span class="small quiet">{move || format!("{} in flight", flying())}</span>
                {pill}
            </div>
            <div class="scroll">
                {move || list.order.with(Vec::is_empty).then(|| view! {
                    <p class="empty">"No entry yet. Every proposal of an agent becomes one, also those that are denied or only recorded."</p>
                })}
                <table class:gone=move || list.order.with(Vec::is_empty)>
                    <thead>
                        <tr>
                            <th scope="col">"Entry"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Act"</th>
                            <th scope="col">"Because"</th>
                            <th scope="col" class="right" title="Pods reserved from the fleet's disruption budget">"Pods"</th>
                            <th scope="col" class="right">"Token"</th>
                            <th scope="col">"Way"</th>
                        </tr>
                    </thead>
                    <For each=move || list.order.get() key=Clone::clone let(id)>
                        <Rows id=id />
                    </For>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Rows(id: String) -> impl IntoView {
    let store = store();
    let (key, here) = (id.clone(), id.clone());
    let entry = Memo::new(move |_| store.entries.get(&key).unwrap_or_default());
    let open = Memo::new(move |_| store.route.get() == Route::Entry(here.clone()));
    view! {
        <tbody id=format!("entry-{id}") data-entry=id.clone() data-state=move || entry.with(|e| e.state.id.clone()) class:chosen=open>
            <tr>{move || entry.with(|e| cells(e, open.get()))}</tr>
            {move || open.get().then(|| view! { <tr><td colspan="7">{move || inside(entry.get())}</td></tr> })}
        </tbody>
    }
}

fn cells(of: &Entry, open: bool) -> impl IntoView + use<> {
    let tokens = of.tokens.iter().map(|(_, token)| token.to_string()).collect::<Vec<_>>().join(", ");
    let way = of.history.iter().map(|(_, state)| state.id.replace('_', " ")).collect::<Vec<_>>().join(" → ");
    let made = of.history.first().map(|(at, _)| *at).unwrap_or_default();
    let address = if open { "#/ledger".to_owned() } else { route::entry(&of.id) };
    view! {
        <td class="num nowrap"><a href=address aria-expanded=open.to_string()>{of.id.clone()}</a>" "<span class="small quiet">{format::time(made)}</span></td>
        <td class="nowrap"><Mark state=of.state.clone() />{of.paging.then(|| view! { <span class="small asks">" pages"</span> })}</td>
        <td><Severity grade=of.severity />" "{of.action.clone()}</td>
        <td class="small quiet">{of.cause.clone()}" "<span class="num">{format::percent(of.confidence)}</span>", "{of.agent.clone()}</td>
        <td class="num right">{of.cost_pods}</td>
        <td class="num right">{tokens}</td>
        <td class="small quiet">{way}</td>
    }
}

fn inside(of: Entry) -> impl IntoView {
    let first = of.history.first().map_or(0, |(at, _)| *at);
    let facts = [
        ("Incident", of.incident.clone()),
        ("Digest", of.digest.clone()),
        (
            "Taken back",
            match of.reversibility.as_str() {
                "exact" => "exactly, field by field".to_owned(),
                "compensating" => "by another act that makes up for it".to_owned(),
                _ => "not possible".to_owned(),
            },
        ),
        ("Undo of", of.parent.clone().unwrap_or_default()),
        ("Undone by", of.child.clone().unwrap_or_default()),
        ("Approved by", of.approved_by.clone().unwrap_or_default()),
        ("Tokens", of.tokens.iter().map(|(scope, token)| format!("{scope} {token}")).collect::<Vec<_>>().join(", ")),
        ("Actuator epoch", of.actuator_epoch.map(|e| e.to_string()).unwrap_or_default()),
        ("Report", of.report.clone()),
        ("Outcome", of.outcome.clone()),
        ("Saving", of.saving_usd.map(|usd| format!("{usd:.2} USD a month")).unwrap_or_default()),
    ];
    view! {
        <div class="inside">
            <p>{of.sentence.clone()}</p>
            <Answers entry=of.clone() />
            <ol class="way">
                {of.history.iter().map(|(at, state)| view! {
                    <li><Mark state=state.clone() /><span class="small quiet num" title=format::time_in_full(*at)>{format!("{} (+{})", format::time(*at), format::span(at - first))}</span></li>
                }).collect_view()}
            </ol>
            <dl>
                {facts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| view! { <dt>{name}</dt><dd class="break">{value}</dd> }).collect_view()}
            </dl>
            {(!of.changes.is_empty()).then(|| view! {
                <table class="changes">
                    <thead><tr><th scope="col">"Field"</th><th scope="col">"Before"</th><th scope="col">"After"</th></tr></thead>
                    <tbody>{of.changes.iter().map(|c| view! { <tr><td><code>{c.field.clone()}</code></td><td class="break">{c.before.clone()}</td><td class="break">{c.after.clone()}</td></tr> }).collect_view()}</tbody>
                </table>
            })}
        </div>
    }
}
