//! The demo's on-call person: answers pages and approvals after a human delay. Says yes to whatever is shown, as a tired person would.

use super::layout::Layout;
use crate::wiring::Wiring;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use picket_adapters::clock::RunClock;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::Command;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::ports::Coordinator as _;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// From the question to the answer, event time.
const ANSWER_MS: i64 = 8_000;
/// Real time between two looks at the ledger.
const LOOK: Duration = Duration::from_millis(300);
/// Deadline of passing a page on.
const PASS_ON: Duration = Duration::from_secs(3);

/// The person at work.
pub struct OnCall {
    work: JoinSet<()>,
}

#[derive(Clone)]
struct Desk {
    simulators: Arc<BTreeMap<String, String>>,
    http: reqwest::Client,
}

#[derive(serde::Deserialize)]
struct Page {
    key: String,
}

impl OnCall {
    /// Begins to answer.
    ///
    /// # Errors
    /// When the pager's listener cannot be taken over.
    pub async fn start(wiring: &Wiring, layout: &Layout, human: CoordinatorClient) -> anyhow::Result<Self> {
        let desk = Desk { simulators: Arc::new(layout.simulators.clone()), http: reqwest::Client::new() };
        let pager = layout.pager.try_clone()?;
        pager.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(pager)?;
        let router = Router::new().route("/page", post(take_page)).with_state(desk);
        let mut work = JoinSet::new();
        work.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the on-call person's pager broke");
            }
        });
        work.spawn(answer_approvals(human, wiring.clock));
        Ok(Self { work })
    }

    /// Goes home.
    pub fn stop(mut self) {
        self.work.abort_all();
    }
}

/// A page names an incident and a service (`inc|cluster/namespace/name`): the person looks after the service by hand.
async fn take_page(State(desk): State<Desk>, Json(page): Json<Page>) -> axum::http::StatusCode {
    let service = page.key.rsplit('|').next().unwrap_or_default().to_owned();
    let cluster = service.split('/').next().unwrap_or_default();
    let Some(address) = desk.simulators.get(cluster) else { return axum::http::StatusCode::NOT_FOUND };
    let body = serde_json::json!({ "service": service });
    match desk.http.post(format!("http://{address}/page")).timeout(PASS_ON).json(&body).send().await {
        Ok(answer) if answer.status().is_success() => axum::http::StatusCode::ACCEPTED,
        _ => axum::http::StatusCode::BAD_GATEWAY,
    }
}

async fn answer_approvals(human: CoordinatorClient, clock: RunClock) {
    let mut asked: BTreeMap<EntryId, Timestamp> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let (Ok(status), Ok(entries)) = (human.status().await, human.entries(0).await) else { continue };
        let waiting: Vec<_> = entries.into_iter().filter(|e| e.state == EntryState::AwaitingApproval).collect();
        asked.retain(|id, _| waiting.iter().any(|e| e.id == *id));
        for entry in waiting {
            let since = *asked.entry(entry.id.clone()).or_insert_with(|| clock.now());
            if clock.now().since_ms(since) < ANSWER_MS {
                continue;
            }
            let command = Command::Approve { entry: entry.id.clone(), digest: entry.digest.clone(), stop_epoch: status.stop.epoch };
            if let Err(error) = human.submit(format!("approve-{}-{}", entry.id, status.stop.epoch).into(), command).await {
                tracing::warn!(%error, "an approval did not get through");
            }
        }
    }
}
