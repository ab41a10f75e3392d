//! Asks before it acts: what exactly will change, and in whose name.

use crate::send;
use crate::store::{Store, store};
use crate::wire::{Act, Entry};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What a button means.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Everything stops.
    Stop,
    /// On again.
    Resume,
    /// Yes to one digest.
    Approve,
    /// No.
    Deny,
    /// Take it back.
    Undo,
}

impl Verb {
    const fn path(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Undo => "undo",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Stop => "Stop everything?",
            Self::Resume => "Resume?",
            Self::Approve => "Approve this act?",
            Self::Deny => "Deny this act?",
            Self::Undo => "Take this act back?",
        }
    }

    const fn button(self) -> &'static str {
        match self {
            Self::Stop => "STOP everything",
            Self::Resume => "Resume",
            Self::Approve => "Approve",
            Self::Deny => "Deny",
            Self::Undo => "Take it back",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Stop => {
                "Every act that waits or is permitted is cancelled, all agents go to Observe, and nothing new is permitted or claimed until a person \
                 resumes. Acts already claimed run to their end. Consents given before are void."
            }
            Self::Resume => {
                "This STOP, and no later one, is over. Permits may be issued again. Agents stay in Observe until each is promoted or granted its \
                 phase anew."
            }
            Self::Approve => "The agent reads its evidence again; if it still stands and all limits hold, this is done once:",
            Self::Deny => "This will not be done. The agent may propose something else:",
            Self::Undo => "Each field goes back to what it was before, if nobody has changed it since:",
        }
    }
}

/// One question, with what was shown when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    verb: Verb,
    entry: Option<Entry>,
    stop_epoch: u64,
    request_id: String,
}

impl Ask {
    /// About everything.
    pub fn all(verb: Verb, stop_epoch: u64) -> Self {
        Self { verb, entry: None, stop_epoch, request_id: send::request_id() }
    }

    /// About one entry.
    pub fn about(verb: Verb, entry: &Entry, stop_epoch: u64) -> Self {
        Self { entry: Some(entry.clone()), ..Self::all(verb, stop_epoch) }
    }

    fn path(&self) -> String {
        match &self.entry {
            Some(entry) => format!("/api/entries/{}/{}", entry.id, self.verb.path()),
            None => format!("/api/{}", self.verb.path()),
        }
    }
}

/// The dialog; it is there all the time and shown while something is asked.
#[component]
pub fn Dialog() -> impl IntoView {
    let store = store();
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let asked = store.ask.with(Option::is_some);
        if let Some(dialog) = node.get() {
            match (asked, dialog.open()) {
                (true, false) => _ = dialog.show_modal(),
                (false, true) => dialog.close(),
                _ => {}
            }
        }
    });
    view! {
        <dialog node_ref=node on:close=move |_| store.ask.set(None) aria-labelledby="ask">
            {move || store.ask.get().map(|ask| view! { <Question ask=ask /> })}
        </dialog>
    }
}

#[component]
fn Question(ask: Ask) -> impl IntoView {
    let store = store();
    let (why, keep_undos) = (RwSignal::new(String::new()), RwSignal::new(false));
    let (sending, failed) = (RwSignal::new(false), RwSignal::new(String::new()));
    let verb = ask.verb;
    let asked = StoredValue::new(ask.clone());
    let send = move || {
        let (path, act) = asked.with_value(|ask| {
            let digest = ask.entry.as_ref().map(|e| e.digest.clone()).unwrap_or_default();
            let act = Act {
                request_id: ask.request_id.clone(),
                digest,
                stop_epoch: ask.stop_epoch,
                why: why.get_untracked(),
                keep_undos: keep_undos.get_untracked(),
            };
            (ask.path(), act)
        });
        press(store, path, act, sending, failed);
    };
    let person = store.clock.with_untracked(|c| c.person.clone());
    view! {
        <form method="dialog" on:submit=move |event| { event.prevent_default(); send(); }>
            <h2 id="ask">{verb.title()}</h2>
            <p>{verb.says()}</p>
            {ask.entry.clone().map(|entry| view! { <What entry=entry stop_epoch=ask.stop_epoch /> })}
            {(verb == Verb::Deny).then(|| view! {
                <label>"Why (on record) "<input id="why" type="text" maxlength="500" on:input=move |event| why.set(event_target_value(&event)) /></label>
            })}
            {(verb == Verb::Stop).then(|| view! {
                <label class="line"><input type="checkbox" on:change=move |event| keep_undos.set(event_target_checked(&event)) />" Let undos go on"</label>
            })}
            <p class="small quiet">{format!("On record as {person}.")}</p>
            {move || (!failed.with(String::is_empty)).then(|| view! { <p class="bad" role="alert">"▲ "{failed.get()}</p> })}
            <p class="answers">
                <button type="button" on:click=move |_| store.ask.set(None)>"Cancel"</button>
                <button id="confirm" type="submit" class=if verb == Verb::Stop { "stop-button" } else { "primary" } disabled=sending>
                    {move || if sending.get() { "Sending…" } else { verb.button() }}
                </button>
            </p>
        </form>
    }
}

#[component]
fn What(entry: Entry, stop_epoch: u64) -> impl IntoView {
    view! {
        <dl class="what">
            <dt>"Act"</dt><dd><b>{entry.action.clone()}</b></dd>
            <dt>"Because"</dt><dd>{entry.sentence.clone()}</dd>
            <dt>"Pods"</dt><dd class="num">{format!("{} unavailable at the same time, at most", entry.cost_pods)}</dd>
            <dt>"Taken back"</dt><dd>{match entry.reversibility.as_str() { "exact" => "exactly, field by field", "compensating" => "by another act", _ => "not possible" }}</dd>
            <dt>"Digest"</dt><dd><code class="break">{entry.digest.clone()}</code></dd>
            <dt>"Stop epoch"</dt><dd class="num">{stop_epoch}</dd>
        </dl>
    }
}

/// Sends it; the same request id again when it is pressed again, so that it is done once.
fn press(store: Store, path: String, act: Act, sending: RwSignal<bool>, failed: RwSignal<String>) {
    if sending.get_untracked() {
        return;
    }
    sending.set(true);
    failed.set(String::new());
    spawn_local(async move {
        let result = send::post(&path, &act).await;
        sending.set(false);
        match result {
            Ok(()) => store.ask.set(None),
            Err(why) => failed.set(why),
        }
    });
}
