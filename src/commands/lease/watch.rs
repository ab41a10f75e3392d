//! `picket lease watch`: leases come and go.

use picket_core::coordination::{CoordinatorStatus, LeaseView};
use picket_core::ports::{Coordinator, PortError};
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// One thing that happened to a scope between two looks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum LeaseEvent {
    /// Somebody holds it who did not before.
    Granted { scope: Scope, holder: String, token: FencingToken, at: Timestamp },
    /// It will be taken from its holder.
    Noticed { scope: Scope, holder: String, token: FencingToken, preempt_at: Timestamp, at: Timestamp },
    /// Nobody holds it with this token any more.
    Ended { scope: Scope, holder: String, token: FencingToken, at: Timestamp },
}

/// Prints what is held, then every change, until interrupted.
pub(super) async fn run(coordinator: &impl Coordinator, json: bool) -> anyhow::Result<()> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = BTreeMap::new();
    let mut away = false;
    loop {
        looks.tick().await;
        match coordinator.status().await {
            Ok(status) => {
                away = false;
                let now = by_scope(&status);
                for event in changes(&before, &now, status.now) {
                    println!("{}", if json { serde_json::to_string(&event)? } else { describe(&event) });
                }
                before = now;
            }
            Err(error @ (PortError::Unavailable { .. } | PortError::Timeout { .. } | PortError::Full { .. })) => {
                if !std::mem::replace(&mut away, true) {
                    eprintln!("picket: {error}; still watching");
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn by_scope(status: &CoordinatorStatus) -> BTreeMap<Scope, LeaseView> {
    status.leases.iter().map(|lease| (lease.scope.clone(), lease.clone())).collect()
}

/// Endings first: a scope that changed hands ended before it was granted.
fn changes(before: &BTreeMap<Scope, LeaseView>, now: &BTreeMap<Scope, LeaseView>, at: Timestamp) -> Vec<LeaseEvent> {
    let same = |lease: &LeaseView, others: &BTreeMap<Scope, LeaseView>| others.get(&lease.scope).is_some_and(|o| o.token == lease.token);
    let own = |l: &LeaseView| (l.scope.clone(), l.holder.clone(), l.token);
    let ended = before.values().filter(|l| !same(l, now)).map(|l| {
        let (scope, holder, token) = own(l);
        LeaseEvent::Ended { scope, holder, token, at }
    });
    let granted = now.values().filter(|l| !same(l, before)).map(|l| {
        let (scope, holder, token) = own(l);
        LeaseEvent::Granted { scope, holder, token, at }
    });
    let noticed = now.values().filter_map(|l| {
        let preempt_at = l.preempt_at?;
        let known = before.get(&l.scope).is_some_and(|b| b.token == l.token && b.preempt_at.is_some());
        let (scope, holder, token) = own(l);
        (!known).then_some(LeaseEvent::Noticed { scope, holder, token, preempt_at, at })
    });
    ended.chain(granted).chain(noticed).collect()
}

fn describe(event: &LeaseEvent) -> String {
    match event {
        LeaseEvent::Granted { scope, holder, token, at } => format!("{at}  granted  {scope}  to {holder}, token {token}"),
        LeaseEvent::Noticed { scope, holder, token, preempt_at, at } => {
            let left_s = preempt_at.since_ms(*at) as f64 / 1000.0;
            format!("{at}  noticed  {scope}  {holder}, token {token}, has {left_s:.0} s left")
        }
        LeaseEvent::Ended { scope, holder, token, at } => format!("{at}  ended    {scope}  of {holder}, token {token}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(name: &str, token: u64, preempt_at: Option<i64>) -> (Scope, LeaseView) {
        let scope = Scope::External("test".into(), name.into());
        let view = LeaseView {
            scope: scope.clone(),
            holder: format!("holder-{token}"),
            token: FencingToken(token),
            expires_at: Timestamp(9),
            waiting: Vec::new(),
            preempt_at: preempt_at.map(Timestamp),
        };
        (scope, view)
    }

    #[test]
    fn a_scope_that_changes_hands_ends_and_is_granted_and_a_renewal_is_no_event() {
        let before = BTreeMap::from([lease("kept", 1, None), lease("handed", 2, None), lease("gone", 3, None), lease("noticed", 4, None)]);
        let now = BTreeMap::from([lease("kept", 1, None), lease("handed", 7, None), lease("new", 6, None), lease("noticed", 4, Some(50))]);
        let events = changes(&before, &now, Timestamp(5));
        let kinds: Vec<String> =
            events.iter().map(|e| describe(e).split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            kinds,
            ["ended ext:test/gone", "ended ext:test/handed", "granted ext:test/handed", "granted ext:test/new", "noticed ext:test/noticed"]
        );
        assert_eq!(changes(&now, &now, Timestamp(6)), [], "told once");
    }
}
