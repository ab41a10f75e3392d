//! Plays a recording to a gateway over OTLP/HTTP.

use super::ReplayError;
use super::recording::Recording;
use crate::clock::RunClock;
use picket_core::time::Timestamp;
use prost::Message;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// One request.
const DEADLINE: Duration = Duration::from_secs(30);
/// Attempts per moment before playing gives up: about a minute of a gateway that is full or away.
const ATTEMPTS_MAX: u32 = 30;

/// The gateway that a recording is played to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its OTLP/HTTP address, such as `http://127.0.0.1:4318`.
    pub url: String,
    /// A token that the gateway knows as one for recorded telemetry.
    pub token: String,
}

/// What was played.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Moments sent.
    pub moments: u64,
    /// Measurements sent.
    pub points: u64,
    /// Times the gateway asked to come again.
    pub retries: u64,
}

/// Sends each moment when the clock reaches it, from `start` on. `progress` hears of each moment that the gateway took.
///
/// # Errors
/// [`ReplayError::Gateway`] when it refuses for good or stays away.
pub async fn play(
    recording: &Recording,
    target: &Target,
    client: &reqwest::Client,
    clock: &RunClock,
    start: Timestamp,
    mut progress: impl FnMut(Played),
) -> Result<Played, ReplayError> {
    let mut played = Played::default();
    for frame in recording.frames(start) {
        tokio::time::sleep(clock.wait_for(start.plus_ms(frame.offset_ms))).await;
        played.retries += send(target, client, frame.request.encode_to_vec()).await?;
        played.moments += 1;
        played.points += frame
            .request
            .resource_metrics
            .iter()
            .flat_map(|resource| &resource.scope_metrics)
            .map(|scope| scope.metrics.len() as u64)
            .sum::<u64>();
        progress(played);
    }
    Ok(played)
}

async fn send(target: &Target, client: &reqwest::Client, body: Vec<u8>) -> Result<u64, ReplayError> {
    let url = format!("{}/v1/metrics", target.url.trim_end_matches('/'));
    let mut last = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        let sent = client
            .post(&url)
            .bearer_auth(&target.token)
            .header("content-type", "application/x-protobuf")
            .timeout(DEADLINE)
            .body(body.clone())
            .send()
            .await;
        let retry_after_s = match sent {
            Ok(response) if response.status().is_success() => return Ok(u64::from(attempt)),
            Ok(response) if matches!(response.status().as_u16(), 429 | 502..=504) => {
                last = response.status().to_string();
                response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1_u64)
            }
            Ok(response) => return Err(ReplayError::Gateway { url, why: response.status().to_string() }),
            Err(error) => {
                last = error.to_string();
                1
            }
        };
        let jitter_ms = std::hash::RandomState::new().build_hasher().finish() % 500;
        tokio::time::sleep(Duration::from_millis(retry_after_s.min(10) * 1_000 + jitter_ms)).await;
    }
    Err(ReplayError::Gateway { url, why: last })
}
