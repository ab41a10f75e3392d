//! The safety strip: violations, phases, freshness, STOP. Always first, always in the same place.

use crate::dialog::{Ask, Verb};
use crate::format;
use crate::store::store;
use crate::wire::{Agent, ClusterFreshness, InvariantCount};
use leptos::prelude::*;

/// The strip.
#[component]
pub fn Strip() -> impl IntoView {
    let store = store();
    view! {
        <header class="strip" class:stopped=move || store.safety.with(|s| s.stop.set)>
            <a class="name" href="#/">"picket"</a>
            <Violations />
            <div class="phases" aria-label="Phase of each agent">
                {move || store.safety.with(|s| s.agents.iter().map(segments).collect_view())}
            </div>
            <div class="fresh" aria-label="Freshness of telemetry">
                {move || {
                    let now = store.clock.with(|c| c.now_ms);
                    store.freshness.with(|f| {
                        if f.clusters.is_empty() {
                            view! { <span class="quiet" title="Each cluster appears here once its telemetry arrives.">"no telemetry yet"</span> }.into_any()
                        } else {
                            f.clusters.iter().map(|c| freshness(c, now, f.fresh_within_ms)).collect_view().into_any()
                        }
                    })
                }}
            </div>
            <StopButton />
        </header>
    }
}

#[component]
fn Violations() -> impl IntoView {
    let store = store();
    let broken = move || store.safety.with(|s| s.violations.iter().filter(|v| v.count > 0).cloned().collect::<Vec<InvariantCount>>());
    let total = move || broken().iter().map(|v| v.count).sum::<u64>().to_string();
    let whose = move || {
        let agents = store.safety.with(|s| s.agents.iter().filter(|a| a.gate.violations > 0).map(|a| a.title.clone()).collect::<Vec<_>>());
        if agents.is_empty() { String::new() } else { format!(" · {}", agents.join(", ")) }
    };
    view! {
        <a class="violations" href="#/invariants" title="Violations of the invariants I1 to I12: always 0, or something is badly wrong" data-violations=total>
            {move || {
                let broken = broken();
                if broken.is_empty() {
                    view! { <span class="quiet"><b class="num">"0"</b>" violations"</span> }.into_any()
                } else {
                    let text = broken.iter().map(|v| format!("{} ×{}", v.id, v.count)).collect::<Vec<_>>().join(", ");
                    view! { <span class="bad"><span aria-hidden="true">"▲ "</span>"violated: "{text}{whose()}</span> }.into_any()
                }
            }}
        </a>
    }
}

/// One agent: three segments, the present one filled.
fn segments(agent: &Agent) -> impl IntoView + use<> {
    let how = if agent.by_fiat { "granted for the demonstration" } else { "earned" };
    let title = format!("{} is in {} since {} ({how}): {}", agent.title, agent.phase, format::time(agent.since_ms), agent.because);
    let segment = |name: &'static str, words: &'static str, present: &str| {
        let on = name == present;
        view! { <span class="segment" class:on=on aria-current=on.then_some("true")>{words}</span> }
    };
    view! {
        <a class="agent" href=format!("#/gate-{}", agent.id) title=title data-agent=agent.id.clone() data-phase=agent.phase.clone()>
            <span class="agent-name">{agent.title.clone()}</span>
            <span class="segments">
                {segment("observe", "Observe", &agent.phase)}
                {segment("assist", "Assist", &agent.phase)}
                {segment("autonomous", "Autonomous", &agent.phase)}
            </span>
        </a>
    }
}

fn freshness(of: &ClusterFreshness, now_ms: i64, within_ms: i64) -> impl IntoView + use<> {
    let age = |at: Option<i64>| at.map(|at| now_ms - at);
    let telemetry = age(of.telemetry_at_ms);
    let late = telemetry.is_none_or(|age| age > within_ms);
    let words = match telemetry {
        None => "no telemetry".to_owned(),
        Some(age) if late => format!("late by {}", format::span(age)),
        Some(_) => "fresh".to_owned(),
    };
    let facts = age(of.facts_at_ms)
        .map_or_else(|| "no facts from its observer".to_owned(), |age| format!("its observer's facts are {} old", format::span(age)));
    let title = format!("{}: newest signal {} ago, {facts}", of.cluster, telemetry.map_or_else(|| "never".to_owned(), format::span));
    view! {
        <span class="cluster" class:asks=late title=title data-late=late.to_string()>
            <span aria-hidden="true">{if late { "◆" } else { "●" }}</span>" "{of.cluster.clone()}" "<span class="small">{words}</span>
        </span>
    }
}

#[component]
fn StopButton() -> impl IntoView {
    let store = store();
    let set = Memo::new(move |_| store.safety.with(|s| s.stop.set));
    let says = move || {
        store.safety.with(|s| {
            let by = if s.stop.by.is_empty() { String::new() } else { format!(" by {}", s.stop.by) };
            match (s.stop.set, s.stop.stopping, s.stop.open_claims) {
                (false, _, _) => String::new(),
                (true, false, _) => format!("stopped{by}"),
                (true, true, 0) => format!("stopping{by}: fences of {} not confirmed", s.stop.fences_missing.join(", ")),
                (true, true, n) => format!("stopping{by}: {n} claimed to their end"),
            }
        })
    };
    let press = move |verb| {
        let epoch = store.safety.with_untracked(|s| s.stop.epoch);
        store.ask.set(Some(Ask::all(verb, epoch)));
    };
    view! {
        <div class="stop">
            <span id="stop-state" class="small bad" data-stop=move || if set.get() { "set" } else { "clear" } role="status">{says}</span>
            {move || if set.get() {
                view! { <button id="resume" class="resume" on:click=move |_| press(Verb::Resume)>"Resume…"</button> }.into_any()
            } else {
                view! { <button id="stop" class="stop-button" on:click=move |_| press(Verb::Stop)>"STOP"</button> }.into_any()
            }}
        </div>
    }
}
