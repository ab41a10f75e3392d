//! The checks have teeth: every planted fault is found. Built with `--features planted-faults` alone.

use picket_coordinator_simulation::Kind;
use picket_core::invariants::Invariant;
use picket_core::planted::take_permits_unverified;
use picket_mesh_simulation::{planted, run_seed};
use picket_state_machine as rule;

/// Seeds that a fault may take to be found, from the first that is tried.
const SEEDS_MAX: u64 = 100;

/// Whose fault, and what it breaks.
#[derive(Clone, Copy, Debug)]
enum Planted {
    Port(planted::Fault),
    Rule(rule::Fault),
    PermitUnverified,
}

use Planted::{PermitUnverified, Port, Rule};

/// The faults that issue and protocol name, each with the promises that it may be found by and the first seed that is tried: the one that
/// found it last, because seeds are what this run is slow by.
const FAULTS: [(Planted, &[Invariant], u64); 12] = [
    (Rule(rule::Fault::BudgetOutsideCommand), &[Invariant::I4], 17),
    (Rule(rule::Fault::PermitReused), &[Invariant::I9], 1),
    (PermitUnverified, &[Invariant::I9], 3),
    (Port(planted::Fault::MonitorSkipped), &[Invariant::I10], 1),
    (Port(planted::Fault::TokenNotStamped), &[Invariant::I3], 1),
    (Rule(rule::Fault::ApprovalOfAnotherDigest), &[Invariant::I7], 1),
    (Port(planted::Fault::AbsenceFromRead), &[Invariant::I6], 67),
    (Port(planted::Fault::TargetReadAfterClaim), &[Invariant::I8], 2),
    (Port(planted::Fault::ResumeWrites), &[Invariant::I6, Invariant::I8], 3),
    (Rule(rule::Fault::CooldownFromClaim), &[Invariant::I5], 30),
    (Rule(rule::Fault::FactsAgedByArrival), &[Invariant::I11], 6),
    (Port(planted::Fault::AuditAfterClaim), &[Invariant::I8], 1),
];

fn plant(fault: Option<Planted>) {
    planted::plant(match fault {
        Some(Port(fault)) => Some(fault),
        _ => None,
    });
    rule::plant(match fault {
        Some(Rule(fault)) => Some(fault),
        _ => None,
    });
    take_permits_unverified(matches!(fault, Some(PermitUnverified)));
}

/// The first seed that finds it by one of its promises, and what it says.
fn hunt(fault: Planted, promises: &[Invariant], first: u64) -> Option<(u64, String)> {
    (first..first + SEEDS_MAX).find_map(|seed| {
        plant(Some(fault));
        let outcome = run_seed(seed, false);
        plant(None);
        let found = outcome.findings.iter().find(|f| promises.iter().any(|promise| f.kind == Kind::Invariant(*promise)))?;
        Some((seed, found.to_string().chars().take(200).collect()))
    })
}

/// `PICKET_SIM_FAULT` chooses those whose name contains it.
#[test]
fn every_planted_fault_is_found_by_its_promise() {
    let chosen = std::env::var("PICKET_SIM_FAULT").unwrap_or_default();
    let faults: Vec<_> = FAULTS.into_iter().filter(|(fault, ..)| format!("{fault:?}").contains(&chosen)).collect();
    // Faults are planted per thread, so several can be hunted at once.
    let missed: Vec<String> = std::thread::scope(|scope| {
        let hunts: Vec<_> = faults
            .into_iter()
            .map(|(fault, promises, first)| {
                scope.spawn(move || match hunt(fault, promises, first) {
                    Some((seed, what)) => {
                        println!("{fault:?}: found by seed {seed}: {what}");
                        None
                    }
                    None => Some(format!("{fault:?}")),
                })
            })
            .collect();
        hunts.into_iter().filter_map(|hunting| hunting.join().unwrap()).collect()
    });
    assert_eq!(missed, Vec::<String>::new(), "not found within {SEEDS_MAX} seeds");
}
