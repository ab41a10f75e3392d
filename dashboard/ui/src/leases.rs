//! Who holds what.

use crate::store::store;
use crate::wire::Lease;
use crate::{format, route};
use leptos::prelude::*;

/// Live leases.
#[component]
pub fn Leases() -> impl IntoView {
    let store = store();
    view! {
        <section class="panel leases" aria-labelledby="leases">
            <div class="panel-head">
                <h2 id="leases" title="A lease gives one act at a time a namespace to itself">"Leases"</h2>
                <span class="small quiet num">{move || store.leases.with(Vec::len)}</span>
            </div>
            <div class="scroll">
                {move || store.leases.with(Vec::is_empty).then(|| view! {
                    <p class="empty">"Nobody holds a lease. One appears while an act has a namespace to itself."</p>
                })}
                <table class:gone=move || store.leases.with(Vec::is_empty)>
                    <thead>
                        <tr>
                            <th scope="col">"Scope"</th>
                            <th scope="col">"Holder"</th>
                            <th scope="col" class="right" title="Fencing token: of one scope it only rises, and a target refuses a lower one">"Token"</th>
                            <th scope="col" class="right">"Ends"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || store.leases.get() key=|l| (l.scope.clone(), l.token, l.expires_at_ms, l.waiting.len()) let(lease)>
                            <Row lease=lease />
                        </For>
                    </tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Row(lease: Lease) -> impl IntoView {
    let store = store();
    let ends = lease.expires_at_ms;
    let waiting = lease.waiting.len();
    let holder = if lease.holder.starts_with("act-") {
        view! { <a href=route::entry(&lease.holder)>{lease.holder.clone()}</a> }.into_any()
    } else {
        lease.holder.clone().into_any()
    };
    view! {
        <tr>
            <td class="break">{lease.scope.clone()}</td>
            <td class="break">{holder}{(waiting > 0).then(|| view! { <span class="small quiet">{format!(", {waiting} wait")}</span> })}</td>
            <td class="num right">{lease.token}</td>
            <td class="num right">{move || format::span(ends - store.clock.with(|c| c.now_ms))}</td>
        </tr>
    }
}
