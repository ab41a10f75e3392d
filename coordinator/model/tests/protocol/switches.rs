//! No rule is idle: in force, nothing breaks within the bounds; off, the same bounds show what breaks.

use crate::search::{assert_holds, of};
use picket_protocol_model::check::{counterexample, without};
use picket_protocol_model::rules::Rule;
use picket_protocol_model::switches::{ALL, Switch};

fn bites(rule: Rule) {
    let switches: Vec<&Switch> = ALL.iter().filter(|s| s.rule == rule).collect();
    assert!(!switches.is_empty(), "{rule:?} is never switched off");
    for switch in switches {
        if switch.masked_by.is_empty() {
            assert_holds(switch.setup);
        } else {
            // What masks it is off in both runs, so that the rule stands alone.
            let alone = of(switch.on());
            assert!(alone.broken.is_none(), "{rule:?} alone does not hold: {:?}", alone.broken);
            assert!(alone.states >= switch.setup.states_min, "{rule:?}: only {} states", alone.states);
            let masked = counterexample(without(switch.setup, &[rule]));
            assert!(masked.is_none(), "{:?} does not mask {rule:?}: {masked:#?}", switch.masked_by);
        }
        let found = counterexample(switch.off());
        let Some(found) = found else { panic!("without {rule:?} nothing breaks in `{}`", switch.setup.name) };
        println!(
            "without {rule:?} {:?} in `{}`: {} in {} steps",
            switch.masked_by,
            switch.setup.name,
            found.breaks.as_str(),
            found.steps.len()
        );
        assert_eq!(found.breaks, switch.breaks, "without {rule:?} in `{}`: {:#?}", switch.setup.name, found.steps);
        assert_eq!(found.steps.len(), switch.steps, "the way without {rule:?} in `{}`: {:#?}", switch.setup.name, found.steps);
    }
}

macro_rules! bite {
    ($($name:ident: $rule:ident;)*) => {
        $(#[test] fn $name() { bites(Rule::$rule); })*

        #[test]
        fn every_rule_is_switched_off() {
            let tested = [$(Rule::$rule),*];
            for rule in Rule::ALL {
                assert!(tested.contains(&rule), "{rule:?} has no test");
            }
        }
    };
}

bite! {
    m1_absence_by_the_fence_only: M1;
    m2_refusal_is_no_absence: M2;
    m3_nothing_read_after_the_claim: M3;
    m4_resume_by_proving: M4;
    m5_undo_only_what_stands: M5;
    m6_severity_as_it_is_now: M6;
    m7_old_consents_are_void: M7;
    m8_stop_is_a_latch: M8;
    m9_echo_before_reading: M9Echo;
    m9_older_readings_are_dropped: M9Order;
    m10_facts_after_the_last_release: M10;
    m11_cooldown_from_the_resolution: M11;
    m12_indeterminate_keeps_its_scope: M12;
    m13_epochs_carry_the_life: M13Epochs;
    m13_fences_before_release: M13Fences;
    m13_journals_before_release: M13Journals;
    m13_wait_before_release: M13Wait;
    m14_a_failed_undo_pages: M14End;
    m14_undo_inherits_the_reservation: M14Budget;
    sink_refuses_lower_tokens: SinkToken;
    audit_before_claim: AuditFirst;
    succession_waits_for_the_fence: Succession;
    lease_covers_a_claim: LeaseCoversClaim;
    preemption_spares_claims: PreemptPermitted;
    the_granted_claim_is_proven: ProveGranted;
    undo_asks_for_what_was_let_go: UndoAsksAnew;
    undo_asks_on_fresh_facts: UndoAsksFresh;
    stop_on_stop_only_tightens: StopOnlyTightens;
    release_names_its_stop: ReleaseNamesStop;
    later_writes_have_a_fence_too: LaterWriteFence;
    journal_kept_until_backed_up: JournalKept;
    own_pods_only_while_reserved: OwnWhileReserved;
}
