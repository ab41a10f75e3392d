//! Earned autonomy as a picture, and the invariants as a list.

use crate::format;
use crate::store::store;
use crate::wire::{Agent, Gate};
use leptos::prelude::*;

/// The gate of each agent.
#[component]
pub fn Gates() -> impl IntoView {
    let store = store();
    view! {
        <section class="gates" aria-label="Gates: what each agent has earned">
            {move || store.safety.with(|s| s.agents.iter().map(card).collect_view())}
        </section>
    }
}

fn card(agent: &Agent) -> impl IntoView + use<> {
    let gate = &agent.gate;
    let counts = format!(
        "{} of {} episodes right, {} asked for; {} without a diagnosis, coverage {} ({} asked for).",
        gate.correct,
        gate.episodes,
        gate.episodes_min,
        gate.abstained,
        format::percent(gate.coverage),
        format::percent(gate.coverage_min)
    );
    let missing = if gate.missing.is_empty() {
        "Nothing is missing: the next phase is earned, and a person may grant it.".to_owned()
    } else {
        format!("Still missing: {}.", gate.missing.join("; "))
    };
    let accuracy = match gate.accuracy {
        Some(share) => format!("accuracy {} ({} to {})", format::percent(share), format::percent(gate.low), format::percent(gate.high)),
        None => "accuracy unknown: no episode was adjudicated yet".to_owned(),
    };
    view! {
        <article class="panel gate" id=format!("gate-{}", agent.id)>
            <div class="panel-head">
                <h2>{agent.title.clone()}</h2>
                <span class="small quiet">{agent.phase.clone()}{agent.by_fiat.then_some(", granted for the demonstration, not earned")}</span>
            </div>
            <p class="small" title="Anytime-valid 95 % interval: looking often does not spend the guarantee">{accuracy}</p>
            {picture(gate)}
            <p class="small">{counts}</p>
            <p class="small quiet">{missing}</p>
        </article>
    }
}

/// Width of the picture, in pixels.
const WIDTH: f64 = 320.0;
/// Room on both sides for the labels.
const SIDE: f64 = 16.0;

/// Interval as a band, estimate as a tick, threshold as a line, on an axis of accuracy.
fn picture(gate: &Gate) -> impl IntoView + use<> {
    let left = if gate.low >= 0.5 && gate.episodes > 0 { 0.5 } else { 0.0 };
    let x = move |share: f64| SIDE + (share.clamp(left, 1.0) - left) / (1.0 - left) * (WIDTH - 2.0 * SIDE);
    let (low, high, threshold) = (x(gate.low), x(gate.high), x(gate.threshold));
    let estimate = gate.accuracy.map(|share| {
        let at = x(share);
        view! { <line x1=at x2=at y1="16" y2="36" class="estimate" /> }
    });
    let says = format!("threshold {}", format::percent(gate.threshold));
    let label = says.clone();
    let anchor = if threshold > WIDTH / 2.0 { "end" } else { "start" };
    let beside = if threshold > WIDTH / 2.0 { threshold - 4.0 } else { threshold + 4.0 };
    view! {
        <svg class="gate-picture" width=WIDTH height="56" role="img" aria-label=says>
            <rect x=low y="20" width=(high - low).max(1.0) height="12" class=if gate.episodes == 0 { "band unknown" } else { "band" } />
            {estimate}
            <line x1=x(left) x2=x(1.0) y1="40" y2="40" class="axis" />
            <line x1=threshold x2=threshold y1="4" y2="40" class="threshold" />
            <text x=beside y="12" text-anchor=anchor>{label}</text>
            <text x=x(left) y="54" text-anchor="start">{format::percent(left)}</text>
            <text x=x(1.0) y="54" text-anchor="end">"100 %"</text>
        </svg>
    }
}

/// All twelve, each with its count.
#[component]
pub fn Invariants() -> impl IntoView {
    let store = store();
    view! {
        <section class="panel" aria-labelledby="invariants">
            <div class="panel-head">
                <h2 id="invariants">"Invariants"</h2>
                <span class="small quiet">"what is always true, and how often it was not"</span>
            </div>
            <table class="invariants">
                <tbody>
                    {move || store.safety.with(|s| s.violations.iter().map(|v| view! {
                        <tr class:bad=v.count != 0>
                            <td class="num">{v.id.clone()}</td>
                            <td class="num right">{v.count}</td>
                            <td class="nowrap">{if v.count == 0 { "holds" } else { "▲ violated" }}</td>
                            <td>{v.says.clone()}</td>
                        </tr>
                    }).collect_view())}
                </tbody>
            </table>
        </section>
    }
}
