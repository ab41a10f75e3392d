//! Real time and the log's order, and who never got an answer.

use crate::finding::{Finding, Kind};
use crate::history::{Asked, Ended, History};
use std::collections::BTreeMap;

/// A call stands after everything that anybody had been told of when it began.
pub fn check(history: &History) -> Vec<Finding> {
    let mut found = Vec::new();
    // Whoever waits in line asks again under the same id: what took effect may be an earlier asking whose answer was lost.
    let mut first_floor = BTreeMap::new();
    for call in &history.calls {
        if let Asked::Submit { principal, request_id, .. } = &call.asked {
            first_floor.entry((principal, request_id)).or_insert(call.floor);
        }
        let Some((at, ended)) = &call.ended else { continue };
        let (place, in_order) = match (&call.asked, ended) {
            (Asked::Submit { principal, request_id, .. }, Ended::Answered(_)) => {
                let Some(place) = history.place_of(principal, request_id) else { continue };
                let floor = first_floor.get(&(principal, request_id)).copied().unwrap_or(call.floor);
                (place, place > floor)
            }
            // A read may see what was told of before, not less.
            (_, Ended::Seen { index, .. }) => (*index, *index >= call.floor),
            _ => continue,
        };
        if !in_order {
            let asked = match &call.asked {
                Asked::Submit { principal, request_id, .. } => format!("{request_id} of {principal}"),
                read => format!("{read:?}"),
            };
            let detail = format!(
                "{asked} began at {} ms, when entry {} was known; it ended at {at} ms and stands at entry {place}",
                call.began_ms, call.floor
            );
            found.push(Finding::new(Kind::Linearizability, detail));
        }
    }
    found
}

/// Everything that was asked `settle_ms` after the healing has an answer.
pub fn check_liveness(history: &History, settle_ms: u64) -> Vec<Finding> {
    let Some(healed_ms) = history.healed_ms else { return Vec::new() };
    let unanswered = history.calls.iter().filter(|c| c.began_ms >= healed_ms + settle_ms && !c.is_answered());
    unanswered
        .map(|call| {
            let detail = format!("asked at {} ms, healed at {healed_ms} ms, no answer: {:?}", call.began_ms, call.asked);
            Finding::new(Kind::Liveness, detail)
        })
        .collect()
}
