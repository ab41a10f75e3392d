//! What proves a sentence: evidence with its weight, the other candidates, the deviations.

use crate::format;
use crate::wire::{Anomaly, Candidate, Evidence};
use leptos::prelude::*;

/// Half the width of a weight's bar, in pixels.
const BAR: f64 = 36.0;

/// Evidence for and against, heaviest first.
#[component]
pub fn EvidenceTable(evidence: Vec<Evidence>) -> impl IntoView {
    if evidence.is_empty() {
        return view! { <p class="empty">"No evidence was cited; without it nothing is claimed."</p> }.into_any();
    }
    let heaviest = evidence.iter().map(|e| e.weight.abs()).fold(0.1, f64::max);
    view! {
        <table class="evidence">
            <thead>
                <tr>
                    <th scope="col" title="What it adds to the log-odds of the cause; negative speaks against">"Weight"</th>
                    <th scope="col">"Evidence"</th>
                    <th scope="col">"From"</th>
                    <th scope="col">"At"</th>
                </tr>
            </thead>
            <tbody>{evidence.into_iter().map(|e| evidence_row(e, heaviest)).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn evidence_row(of: Evidence, heaviest: f64) -> impl IntoView {
    let length = (of.weight.abs() / heaviest * BAR).max(1.0);
    let against = of.weight < 0.0;
    let x = if against { BAR - length } else { BAR };
    view! {
        <tr id=of.id.clone()>
            <td class="weight">
                <svg width=BAR * 2.0 height="12" aria-hidden="true">
                    <rect x=x y="2" width=length height="8" class=if against { "against" } else { "for" } />
                    <line x1=BAR x2=BAR y1="0" y2="12" class="axis" />
                </svg>
                <span class="num">{format::signed(of.weight)}</span>
                <span class="small quiet">{if against { "against" } else { "for" }}</span>
            </td>
            <td>{of.text}</td>
            <td class="small quiet">{of.source}</td>
            <td class="small quiet num" title=format::time_in_full(of.at_ms)>{format::time(of.at_ms)}</td>
        </tr>
    }
}

/// The other candidates.
#[component]
pub fn Ranking(ranking: Vec<Candidate>) -> impl IntoView {
    if ranking.is_empty() {
        return view! { <p class="empty">"No candidate came into question."</p> }.into_any();
    }
    view! {
        <table class="ranking">
            <tbody>
                {ranking.into_iter().map(|c| view! {
                    <tr>
                        <td class="num right">{format::percent(c.probability)}</td>
                        <td><svg width="80" height="8" aria-hidden="true"><rect x="0" y="0" width="80" height="8" class="track" /><rect x="0" y="0" width=80.0 * c.probability.clamp(0.0, 1.0) height="8" class="for" /></svg></td>
                        <td>{c.cause}</td>
                        <td class="small quiet">{c.service}</td>
                    </tr>
                }).collect_view()}
            </tbody>
        </table>
    }
    .into_any()
}

/// The deviations that were seen.
#[component]
pub fn Anomalies(anomalies: Vec<Anomaly>, more: usize) -> impl IntoView {
    if anomalies.is_empty() {
        return view! { <p class="empty">"Nothing deviates any more."</p> }.into_any();
    }
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">"Since"</th>
                    <th scope="col">"Service"</th>
                    <th scope="col">"Symptom"</th>
                    <th scope="col" class="right" title="In the unit of the series">"Seen"</th>
                    <th scope="col" class="right">"Usual"</th>
                    <th scope="col" class="right" title="How many standard deviations from the learned baseline">"σ"</th>
                </tr>
            </thead>
            <tbody>
                {anomalies.into_iter().map(|a| view! {
                    <tr>
                        <td class="num small quiet">{format::time(a.onset_ms)}</td>
                        <td>{format::short_service(&a.service)}</td>
                        <td>{a.symptom}<span class="small quiet series" title=a.series.clone()>{a.series.clone()}</span></td>
                        <td class="num right">{format::figure(a.value)}</td>
                        <td class="num right quiet">{format::figure(a.expected)}</td>
                        <td class="num right">{format!("{:.1}", a.score)}</td>
                    </tr>
                }).collect_view()}
            </tbody>
        </table>
        {(more > 0).then(|| view! { <p class="small quiet">{format!("and {more} more")}</p> })}
    }
    .into_any()
}
