//! Every switch: where it is turned off, what else must be off with it, and which promise then breaks.

use crate::configurations as c;
use crate::invariant::Invariant;
use crate::rules::Rule;
use crate::setup::Setup;

/// A rule that is not idle: without it, a promise breaks.
#[derive(Copy, Clone, Debug)]
pub struct Switch {
    /// The rule.
    pub rule: Rule,
    /// Rules that mask it, and are off as well.
    pub masked_by: &'static [Rule],
    /// Where.
    pub setup: Setup,
    /// What breaks.
    pub breaks: Invariant,
    /// In how many steps; there is no shorter way.
    pub steps: usize,
}

const fn switch(rule: Rule, masked_by: &'static [Rule], setup: Setup, breaks: Invariant, steps: usize) -> Switch {
    Switch { rule, masked_by, setup, breaks, steps }
}

/// All of them.
pub const ALL: &[Switch] = &[
    switch(Rule::M1, &[], c::PROOF, Invariant::I6, 8),
    switch(Rule::M2, &[], c::PROOF, Invariant::I6, 7),
    switch(Rule::M3, &[Rule::SinkToken], c::SUCCESSION, Invariant::I3, 9),
    switch(Rule::M4, &[Rule::M3], c::PROOF, Invariant::I6, 8),
    switch(Rule::M5, &[], c::UNDO, Invariant::Undo, 12),
    switch(Rule::M6, &[], c::SEVERITY, Invariant::I7, 4),
    switch(Rule::M7, &[], c::STOP, Invariant::I7, 10),
    switch(Rule::M7, &[], c::STOP_UNDO, Invariant::Stop, 11),
    switch(Rule::M8, &[], c::STOP, Invariant::I9, 8),
    switch(Rule::M9Echo, &[], c::FACTS, Invariant::I11, 9),
    switch(Rule::M9Order, &[], c::FACTS, Invariant::I4, 9),
    switch(Rule::M10, &[], c::BUDGET, Invariant::I4, 11),
    switch(Rule::M11, &[], c::COOLDOWN, Invariant::I5, 8),
    switch(Rule::M12, &[Rule::Succession], c::DEADLINES, Invariant::I1, 5),
    switch(Rule::M13Epochs, &[], c::RESTORE, Invariant::I2, 16),
    switch(Rule::M13Epochs, &[], c::OBSERVERS, Invariant::I10, 9),
    switch(Rule::M13Fences, &[], c::RESTORE_WAIVED, Invariant::I6, 12),
    switch(Rule::M13Journals, &[], c::RESTORE, Invariant::I10, 13),
    switch(Rule::M13Wait, &[], c::RESTORE_WAIVED, Invariant::I5, 24),
    switch(Rule::M14End, &[], c::UNDO, Invariant::I10, 8),
    switch(Rule::M14Budget, &[], c::BUDGET, Invariant::I4, 19),
    switch(Rule::SinkToken, &[], c::LEASES, Invariant::I3, 8),
    switch(Rule::AuditFirst, &[], c::PROOF, Invariant::I8, 3),
    switch(Rule::Succession, &[], c::SUCCESSION, Invariant::I1, 6),
    switch(Rule::Succession, &[], c::STOP_LATE, Invariant::Stop, 8),
    switch(Rule::Succession, &[], c::BUDGET_UNKNOWN, Invariant::I4, 14),
    switch(Rule::LeaseCoversClaim, &[], c::LEASES, Invariant::I1, 7),
    switch(Rule::PreemptPermitted, &[], c::PREEMPTION, Invariant::I1, 6),
    switch(Rule::ProveGranted, &[], c::OLD_JOURNAL, Invariant::I1, 14),
    switch(Rule::UndoAsksAnew, &[], c::BUDGET, Invariant::I4, 20),
    switch(Rule::UndoAsksFresh, &[], c::BUDGET, Invariant::I4, 26),
    switch(Rule::StopOnlyTightens, &[], c::STOP_KEEPING, Invariant::Stop, 11),
    switch(Rule::ReleaseNamesStop, &[], c::STOP, Invariant::Stop, 4),
    switch(Rule::LaterWriteFence, &[], c::TWO_WRITES, Invariant::I6, 9),
    switch(Rule::LaterWriteFence, &[], c::TWO_TARGETS, Invariant::I6, 9),
    switch(Rule::JournalKept, &[], c::RESTORE, Invariant::I10, 16),
    switch(Rule::OwnWhileReserved, &[], c::BUDGET_UNKNOWN, Invariant::I4, 15),
    switch(Rule::OwnWhileReserved, &[], c::BUDGET, Invariant::I4, 14),
];

impl Switch {
    /// The configuration with the rule off, and what masks it.
    #[must_use]
    pub fn off(&self) -> Setup {
        let rules = self.masked_by.iter().fold(self.setup.rules.without(self.rule), |rules, rule| rules.without(*rule));
        Setup { rules, ..self.setup }
    }

    /// The configuration with the rule in force, and what masks it off: the rule alone must hold the promise.
    #[must_use]
    pub fn on(&self) -> Setup {
        let rules = self.masked_by.iter().fold(self.setup.rules, |rules, rule| rules.without(*rule));
        Setup { rules, ..self.setup }
    }
}
