//! What anybody might do at any time.

use proptest::prelude::*;

/// What somebody does; entries are named by their place, so that sequences hit something.
#[derive(Clone, Debug)]
pub enum Act {
    Propose { kind: u8, namespace: bool, service: u8, severity: u8 },
    Claim { entry: u8, old_epoch: bool },
    Report { entry: u8, how: u8 },
    Grade { entry: u8, how: u8 },
    Approve { entry: u8 },
    Refresh { entry: u8 },
    Deny { entry: u8 },
    Undo { entry: u8, late: bool },
    Resolve { entry: u8, how: u8, late: bool },
    Stop { keep_undos: bool },
    Alarm { entry: u8, keep_undos: bool },
    Panic { entry: u8 },
    Regret { entry: u8 },
    Fence,
    Resume { late: bool },
    Phase { agent: u8, phase: u8, late: bool },
    Cap { phase: u8 },
    Freeze { ms: i64 },
    Reset,
    Violation,
    Lease { who: bool, scopes: u8 },
    Queue { who: u8, scopes: u8, priority: u8 },
    Renew { which: u8 },
    Release { which: u8 },
    Forget,
    Retry { back: u8 },
    Read { others: u8, tier: u8 },
    Crowd { others: u8 },
    Pass { ms: i64 },
    Takeover { observer: bool },
    Lead { skew_ms: i64 },
    Deposed { ms: i64 },
    Snapshot,
    Backup,
    Restore,
    Comeback { waive: bool },
    Lost,
}

/// Some answer by a page that is older than the newest STOP.
fn late() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.2)
}

pub fn act() -> impl Strategy<Value = Act> {
    let entry = any::<u8>();
    let ledger = prop_oneof![
        8 => (0u8..4, any::<bool>(), 0u8..5, 1u8..5)
            .prop_map(|(kind, namespace, service, severity)| Act::Propose { kind, namespace, service, severity }),
        8 => (entry, prop::bool::weighted(0.1)).prop_map(|(entry, old_epoch)| Act::Claim { entry, old_epoch }),
        6 => (entry, 0u8..6).prop_map(|(entry, how)| Act::Report { entry, how }),
        6 => (entry, 0u8..4).prop_map(|(entry, how)| Act::Grade { entry, how }),
        3 => entry.prop_map(|entry| Act::Approve { entry }),
        3 => entry.prop_map(|entry| Act::Refresh { entry }),
        1 => entry.prop_map(|entry| Act::Deny { entry }),
        2 => (entry, late()).prop_map(|(entry, late)| Act::Undo { entry, late }),
        3 => (entry, 0u8..3, late()).prop_map(|(entry, how, late)| Act::Resolve { entry, how, late }),
    ];
    let people = prop_oneof![
        1 => any::<bool>().prop_map(|keep_undos| Act::Stop { keep_undos }),
        3 => (entry, any::<bool>()).prop_map(|(entry, keep_undos)| Act::Alarm { entry, keep_undos }),
        1 => entry.prop_map(|entry| Act::Panic { entry }),
        2 => entry.prop_map(|entry| Act::Regret { entry }),
        1 => Just(Act::Fence),
        1 => late().prop_map(|late| Act::Resume { late }),
        3 => (0u8..3, 0u8..3, late()).prop_map(|(agent, phase, late)| Act::Phase { agent, phase, late }),
        1 => (0u8..3).prop_map(|phase| Act::Cap { phase }),
        1 => Just(Act::Violation),
        2 => (1_000i64..60_000).prop_map(|ms| Act::Freeze { ms }),
        2 => Just(Act::Reset),
    ];
    let leases = prop_oneof![
        1 => (any::<bool>(), 1u8..8).prop_map(|(who, scopes)| Act::Lease { who, scopes }),
        3 => (0u8..4, 1u8..8, 0u8..3).prop_map(|(who, scopes, priority)| Act::Queue { who, scopes, priority }),
        1 => entry.prop_map(|which| Act::Renew { which }),
        2 => entry.prop_map(|which| Act::Release { which }),
        1 => Just(Act::Forget),
        1 => entry.prop_map(|back| Act::Retry { back }),
    ];
    let world = prop_oneof![
        8 => (0u8..18, 1u8..4).prop_map(|(others, tier)| Act::Read { others, tier }),
        2 => (13u8..17).prop_map(|others| Act::Crowd { others }),
        4 => prop_oneof![0i64..2_000, 5_000i64..40_000, 100_000i64..900_000].prop_map(|ms| Act::Pass { ms }),
        1 => any::<bool>().prop_map(|observer| Act::Takeover { observer }),
        1 => (-20_000i64..20_000).prop_map(|skew_ms| Act::Lead { skew_ms }),
        1 => (0i64..100_000).prop_map(|ms| Act::Deposed { ms }),
        1 => Just(Act::Snapshot),
    ];
    let disaster = prop_oneof![
        2 => Just(Act::Backup),
        1 => Just(Act::Restore),
        4 => any::<bool>().prop_map(|waive| Act::Comeback { waive }),
        1 => Just(Act::Lost),
    ];
    prop_oneof![40 => ledger, 8 => people, 9 => leases, 16 => world, 2 => disaster]
}

/// A reading comes a moment later: what that moment grants is held against the reading before.
pub fn with_moments(acts: Vec<Act>) -> Vec<Act> {
    let steps = acts
        .into_iter()
        .flat_map(|act| if matches!(act, Act::Read { .. } | Act::Crowd { .. }) { vec![Act::Pass { ms: 100 }, act] } else { vec![act] });
    steps.collect()
}
