//! The parts put together from settings: the channels that are configured, the follower, and the listener for presses.

use crate::Clock;
use crate::approver::Approver;
use crate::bridge::board::Board;
use crate::bridge::decide::Channel;
use crate::bridge::follow::Follower;
use crate::bridge::lane::{Deliver, LANE_MAX, Lane};
use crate::bridge::seen::Store;
use crate::bridge::worker::{Pauses, Worker};
use crate::dashboard_link::Dashboard;
use crate::http::Http;
use crate::pagerduty::delivery::PagerDutyDelivery;
use crate::retry::Backoff;
use crate::secret::Secret;
use crate::settings::{ChatOpsSettings, SlackSettings};
use crate::slack::answered::Answered;
use crate::slack::button::ButtonKey;
use crate::slack::client::{SlackClient, Way};
use crate::slack::delivery::SlackDelivery;
use crate::slack::interaction::Expected;
use crate::slack::press::{APPROVE_BACKOFF, APPROVE_DEADLINE, Desk, Presses};
use crate::slack::response_url::ResponseOrigin;
use crate::slack::routes::{self, Bounds};
use crate::teams::delivery::TeamsDelivery;
use picket_core::ports::{Coordinator, PortError, PortResult};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Deadline of one try to post.
const POST_DEADLINE: Duration = Duration::from_secs(5);
/// Tries within one call.
const POST_BACKOFF: Backoff = Backoff { base_ms: 500, cap_ms: 4000, attempts: 4 };
/// Presses that are being carried out at a time.
const PRESSES_MAX: u32 = 64;
/// How long an end waits for presses that are being carried out.
const END_DEADLINE: Duration = Duration::from_secs(20);
/// Pause after a round of following that failed.
const FOLLOW_BACKOFF: Backoff = Backoff { base_ms: 500, cap_ms: 10_000, attempts: u32::MAX };

/// Chat and paging, ready to run.
pub struct ChatOps<A> {
    store: Arc<Store>,
    board: Arc<Board>,
    lanes: Vec<Arc<Lane>>,
    workers: JoinSet<()>,
    clock: Clock,
    server: Option<Server<A>>,
}

struct Server<A> {
    listener: TcpListener,
    desk: Arc<Desk<A>>,
}

/// Clocks of one run.
#[derive(Clone)]
pub struct Clocks {
    /// The run clock: what the coordinator's deadlines are in.
    pub run: Clock,
    /// The wall clock: what Slack's and PagerDuty's times are in.
    pub wall: Clock,
}

impl<A: Approver> ChatOps<A> {
    /// Reads the secrets, opens `folder` (of this process alone; what was told and the key of the buttons are kept there), takes the listener
    /// for presses, and starts the channels. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When settings are refused, a secret or the folder cannot be read, or the address cannot be had. Every error names its key or file.
    pub async fn start(settings: &ChatOpsSettings, folder: &Path, approver: A, clocks: Clocks) -> PortResult<Self> {
        let refused = |what: &str, why: String| PortError::Refused { what: what.to_owned(), why };
        if let Some(problem) = settings.problems("chatops").into_iter().next() {
            return Err(refused(&problem.key, problem.why));
        }
        std::fs::create_dir_all(folder).map_err(|e| PortError::Unavailable { what: folder.display().to_string(), why: e.to_string() })?;
        let dashboard = Dashboard::new(&settings.dashboard_url).map_err(|why| refused("chatops.dashboard_url", why))?;
        let http = Http::new(POST_DEADLINE, POST_BACKOFF)?;
        let store = Arc::new(Store::open(folder.join("told.json"))?);
        let mut chat =
            Self { store, board: Arc::default(), lanes: Vec::new(), workers: JoinSet::new(), clock: clocks.run.clone(), server: None };
        chat.add_slack(&settings.slack, folder, &http, &dashboard, approver, &clocks).await?;
        if !settings.teams.webhook.is_empty() {
            chat.add(TeamsDelivery::new(http.clone(), &settings.teams.webhook, dashboard.clone(), clocks.run.clone())?);
        }
        if !settings.pagerduty.routing_key_file.is_empty() {
            let key = Secret::read(Path::new(&settings.pagerduty.routing_key_file))?;
            chat.add(PagerDutyDelivery::new(http, &settings.pagerduty.url, key, dashboard, clocks.wall)?);
        }
        let channels: Vec<Channel> = chat.lanes.iter().map(|lane| lane.channel()).collect();
        chat.store.change(|seen| seen.keep(&channels))?;
        Ok(chat)
    }

    async fn add_slack(
        &mut self,
        slack: &SlackSettings,
        folder: &Path,
        http: &Http,
        dashboard: &Dashboard,
        approver: A,
        clocks: &Clocks,
    ) -> PortResult<()> {
        let way = if !slack.bot_token_file.is_empty() {
            Way::bot(Secret::read(Path::new(&slack.bot_token_file))?, &slack.channel, &slack.api_url)?
        } else if !slack.webhook.is_empty() {
            Way::webhook(&slack.webhook)?
        } else {
            return Ok(());
        };
        let client = Arc::new(SlackClient::new(http.clone(), way));
        let mut key = None;
        if !slack.listen.is_empty() {
            let seal = ButtonKey::read_or_make(&folder.join("button.key"), &rand::random())?;
            key = Some(seal.clone());
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let origin = ResponseOrigin::new(&slack.response_origin)
                .map_err(|why| PortError::Refused { what: "chatops.slack.response_origin".into(), why })?;
            let desk = Desk {
                signing: Secret::read(Path::new(&slack.signing_secret_file))?,
                key: seal,
                directory: slack.directory(),
                approver,
                client: client.clone(),
                board: self.board.clone(),
                expected: Expected { team: some(&slack.team), app: some(&slack.app), origin },
                dashboard: dashboard.clone(),
                clock: clocks.run.clone(),
                wall: clocks.wall.clone(),
                approve_deadline: APPROVE_DEADLINE,
                backoff: APPROVE_BACKOFF,
                answered: Mutex::new(Answered::default()),
                presses: Presses::new(PRESSES_MAX),
            };
            let unavailable =
                |e: std::io::Error| PortError::Unavailable { what: format!("chatops.slack.listen {}", slack.listen), why: e.to_string() };
            let listener = TcpListener::bind(&slack.listen).await.map_err(unavailable)?;
            self.server = Some(Server { listener, desk: Arc::new(desk) });
        }
        self.add(SlackDelivery { client, key, dashboard: dashboard.clone(), clock: clocks.run.clone() });
        Ok(())
    }

    fn add<D: Deliver>(&mut self, deliver: D) {
        let lane = Arc::new(Lane::new(deliver.channel(), LANE_MAX));
        self.lanes.push(lane.clone());
        let worker = Worker { deliver, lane, store: self.store.clone(), clock: self.clock.clone(), pauses: Pauses::default() };
        self.workers.spawn(worker.run());
    }

    /// Where presses arrive, when anybody listens for them.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().and_then(|server| server.listener.local_addr().ok())
    }

    /// Follows the ledger, as whom it may be read, and takes presses, until `shutdown`. Presses that are being carried out are waited for.
    ///
    /// # Errors
    /// When the listener breaks off or a channel's worker dies.
    pub async fn run<C: Coordinator>(self, coordinator: C, shutdown: impl Future<Output = ()> + Send) -> PortResult<()> {
        let Self { store, board, lanes, mut workers, clock, server } = self;
        let presses = server.as_ref().map(|server| server.desk.clone());
        let served = async {
            match server {
                None => std::future::pending().await,
                Some(Server { listener, desk }) => {
                    let router = routes::router(desk, Bounds::default());
                    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
                }
            }
        };
        let followed = follow(Follower::new(coordinator, board, store, lanes, clock));
        let broken = |what: &str, why: String| PortError::Unavailable { what: what.to_owned(), why };
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            () = followed => Ok(()),
            served = served => Err(broken("the listener for Slack's presses", served.err().map_or_else(|| "it ended".into(), |e| e.to_string()))),
            dead = died(&mut workers) => Err(broken("a channel", dead)),
        };
        if let Some(desk) = presses {
            desk.presses.ended(END_DEADLINE).await;
        }
        ended
    }
}

async fn follow<C: Coordinator>(mut follower: Follower<C>) {
    let mut failures = 0_u32;
    loop {
        let Err(error) = follower.step().await else {
            failures = 0;
            continue;
        };
        failures = failures.saturating_add(1);
        metrics::counter!("picket_chatops_rounds_failed_total").increment(1);
        tracing::warn!(%error, failures, "the ledger could not be followed; nothing is lost, it is tried again");
        let wait_ms = FOLLOW_BACKOFF.wait_ms(failures, None, rand::random()).unwrap_or(FOLLOW_BACKOFF.cap_ms);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// Workers never end by themselves.
async fn died(workers: &mut JoinSet<()>) -> String {
    match workers.join_next().await {
        None => std::future::pending().await,
        Some(Ok(())) => "its worker ended".to_owned(),
        Some(Err(error)) => error.to_string(),
    }
}
