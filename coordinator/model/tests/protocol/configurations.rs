//! With every rule in force nothing breaks, and what should be possible is.

use crate::search::assert_holds;
use picket_protocol_model::configurations as c;

macro_rules! holds {
    ($($name:ident: $setup:expr;)*) => {
        $(#[test] fn $name() { assert_holds($setup); })*

        #[test]
        fn every_configuration_is_tested() {
            let tested = [$($setup.name),*];
            for setup in c::ALL {
                assert!(tested.contains(&setup.name), "{} has no test", setup.name);
            }
        }
    };
}

holds! {
    proof: c::PROOF;
    generation: c::GENERATION;
    succession: c::SUCCESSION;
    deadlines: c::DEADLINES;
    old_journal: c::OLD_JOURNAL;
    leases: c::LEASES;
    undo: c::UNDO;
    stop: c::STOP;
    stop_and_undo: c::STOP_UNDO;
    stop_with_undos_kept: c::STOP_KEEPING;
    stop_and_late_writes: c::STOP_LATE;
    severity: c::SEVERITY;
    facts: c::FACTS;
    budget: c::BUDGET;
    budget_with_unknown_ends: c::BUDGET_UNKNOWN;
    cooldown: c::COOLDOWN;
    preemption: c::PREEMPTION;
    two_scopes: c::TWO_SCOPES;
    two_writes: c::TWO_WRITES;
    two_targets: c::TWO_TARGETS;
    observers: c::OBSERVERS;
    restore: c::RESTORE;
    restore_with_journals_waived: c::RESTORE_WAIVED;
}
