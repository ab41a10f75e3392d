//! How a state is shown: a shape, a word, and a colour, in this order of importance.

use crate::wire::{State, Tone};
use leptos::prelude::*;

/// The class that gives a tone its colour.
pub const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Quiet => "quiet",
        Tone::Acting => "acting",
        Tone::Asks => "asks",
        Tone::Bad => "bad",
        Tone::Good => "good",
    }
}

const fn shape(tone: Tone) -> &'static str {
    match tone {
        Tone::Quiet => "○",
        Tone::Acting => "▶",
        Tone::Asks => "◆",
        Tone::Bad => "▲",
        Tone::Good => "✓",
    }
}

/// A state.
#[component]
pub fn Mark(state: State) -> impl IntoView {
    view! {
        <span class=format!("mark {}", class(state.tone)) data-state=state.id>
            <span aria-hidden="true">{shape(state.tone)}</span>" "{state.words}
        </span>
    }
}

/// A severity, as a number that needs no colour.
#[component]
pub fn Severity(grade: u8) -> impl IntoView {
    let says = match grade {
        1 => "Severity 1: a tier-1 service is down or burns its error budget",
        2 => "Severity 2: tier 1 degraded, or three services or more",
        3 => "Severity 3: one other service degraded",
        _ => "Severity 4: risk or waste without impact yet",
    };
    view! { <abbr class="sev" data-grade=grade.to_string() title=says>{format!("S{grade}")}</abbr> }
}
