//! The addresses of the API.

use crate::acts::{Answered, Buttons};
use crate::assets;
use crate::feed::{Feed, Page};
use crate::guard::{self, Hosts};
use crate::wire::{Act, Snapshot};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt as _, stream};
use picket_core::ports::Coordinator;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Largest body of a button.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Pages that may listen at the same time.
const LISTENERS_MAX: usize = 64;
/// Pause that a page keeps before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// What the routes share.
pub struct Shared<H> {
    buttons: Buttons<H>,
    feed: Arc<Feed>,
    listeners: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

/// Puts the routes together.
pub fn router<H: Coordinator + 'static>(buttons: Buttons<H>, hosts: Hosts, closing: watch::Receiver<bool>) -> Router {
    let feed = buttons.feed.clone();
    let shared = Arc::new(Shared { buttons, feed, listeners: Arc::new(Semaphore::new(LISTENERS_MAX)), closing });
    Router::new()
        .route("/api/snapshot", get(snapshot::<H>))
        .route("/api/events", get(events::<H>))
        .route("/api/stop", post(stop::<H>))
        .route("/api/resume", post(resume::<H>))
        .route("/api/entries/{id}/{verb}", post(on_entry::<H>))
        .fallback(get(assets::file))
        .with_state(shared)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(hosts, guard::guard))
}

async fn snapshot<H: Coordinator + 'static>(State(shared): State<Arc<Shared<H>>>) -> Json<Snapshot> {
    Json(shared.feed.snapshot().as_ref().clone())
}

async fn stop<H: Coordinator + 'static>(State(shared): State<Arc<Shared<H>>>, Json(act): Json<Act>) -> Answered {
    shared.buttons.stop(act).await
}

async fn resume<H: Coordinator + 'static>(State(shared): State<Arc<Shared<H>>>, Json(act): Json<Act>) -> Answered {
    shared.buttons.resume(act).await
}

async fn on_entry<H: Coordinator + 'static>(
    State(shared): State<Arc<Shared<H>>>,
    Path((id, verb)): Path<(String, String)>,
    Json(act): Json<Act>,
) -> Answered {
    shared.buttons.on_entry(id, &verb, act).await
}

async fn events<H: Coordinator + 'static>(State(shared): State<Arc<Shared<H>>>, headers: HeaderMap) -> Response {
    let Ok(place) = shared.listeners.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "5")], "Too many pages listen. Close one.\n").into_response();
    };
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let stream = follow(shared.feed.clone(), seen, shared.closing.clone(), place);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

struct Follower {
    feed: Arc<Feed>,
    seen: Option<u64>,
    changed: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// Everything first (or what was missed), then each change; ends when the server closes.
fn follow(
    feed: Arc<Feed>,
    seen: Option<u64>,
    closing: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let changed = feed.watch();
    let follower = Follower { feed, seen, changed, closing, _place: place };
    stream::unfold(follower, |mut f| async move {
        loop {
            if *f.closing.borrow() {
                return None;
            }
            f.changed.borrow_and_update();
            let events = match f.feed.since(f.seen) {
                Page::Whole(number, snapshot) => {
                    f.seen = Some(number);
                    let data = serde_json::to_string(snapshot.as_ref()).unwrap_or_default();
                    vec![Ok(Event::default().retry(RETRY).event("snapshot").id(number.to_string()).data(data))]
                }
                Page::Changes(changes) => {
                    f.seen = changes.last().map(|(number, _)| *number).or(f.seen);
                    changes
                        .into_iter()
                        .map(|(number, json)| Ok(Event::default().event("delta").id(number.to_string()).data(&*json)))
                        .collect()
                }
            };
            if !events.is_empty() {
                return Some((stream::iter(events), f));
            }
            let gone = tokio::select! {
                changed = f.changed.changed() => changed.is_err(),
                closing = f.closing.changed() => closing.is_err(),
            };
            if gone {
                return None;
            }
        }
    })
    .flatten()
}
