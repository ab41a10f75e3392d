//! The rules of the protocol that can be switched off, one by one.

/// A sentence of PROTOCOL.md. M1-M14 are marked there; where one mark stands on two sentences, each has a switch of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Absence is proven only by a compare-and-set of the fence; a read proves nothing.
    M1,
    /// A refused write is never proof of absence.
    M2,
    /// The precondition is the version that the claim named; nothing is read again after it.
    M3,
    /// After a crash or failover an actuator proves, and never writes.
    M4,
    /// An undo requires the parent's stamp and its after-values, in the read that supplies its precondition.
    M5,
    /// The claim looks at the current severity.
    M6,
    /// Consents given before a STOP are void.
    M7,
    /// STOP is a latch: no permit, claim or promotion until it is released, and no permit outlives it.
    M8,
    /// Facts and evidence echo a time obtained before reading.
    M9Echo,
    /// An older reading never replaces a newer one.
    M9Order,
    /// A claim needs facts read after the last release of budget.
    M10,
    /// The cooldown holds while a claim of its kind is unresolved, and starts at its resolution.
    M11,
    /// An Indeterminate act keeps its scope.
    M12,
    /// Ids, tokens and epochs carry the restore epoch; reports and verdicts of an old epoch are only audited.
    M13Epochs,
    /// After a restore nothing begins until every sink's fence is confirmed at the new epoch.
    M13Fences,
    /// … every actuator's journal was uploaded.
    M13Journals,
    /// … the longest cooldown and `act_deadline` have passed.
    M13Wait,
    /// Any end of an undo but "applied" makes its parent UndoFailed, which pages.
    M14End,
    /// An undo inherits its parent's reservation.
    M14Budget,
    /// The sink refuses a token lower than one it has accepted (the third line of defence).
    SinkToken,
    /// The audit record is durable before the claim is sent.
    AuditFirst,
    /// A scope (and a reservation) passes on only when the sink's fence has been confirmed, whatever a person resolved.
    Succession,
    /// A lease does not run out under an unresolved claim.
    LeaseCoversClaim,
    /// Preemption cancels what is Permitted, and lets a claim run to its end.
    PreemptPermitted,
    /// What an actuator proves is the claim that was granted, not an older one of the same entry in its journal.
    ProveGranted,
    /// An undo whose parent has let its reservation go asks for it anew.
    UndoAsksAnew,
    /// … on facts read after the last release, as a claim does (docs/decisions/0010).
    UndoAsksFresh,
    /// A STOP pressed on a STOP never gives leave for undos that the first one withheld (docs/decisions/0007).
    StopOnlyTightens,
    /// A release names the stop epoch that it lifts (docs/decisions/0007).
    ReleaseNamesStop,
    /// The absence of a later write is proven on the version that the write before it left (docs/decisions/0008).
    LaterWriteFence,
    /// An actuator's journal keeps an act until a backup covers it (docs/decisions/0009).
    JournalKept,
    /// Disrupted pods count as picket's own only while a reservation stands for them (docs/decisions/0010).
    OwnWhileReserved,
}

impl Rule {
    /// Every switch.
    pub const ALL: [Self; 32] = [
        Self::M1,
        Self::M2,
        Self::M3,
        Self::M4,
        Self::M5,
        Self::M6,
        Self::M7,
        Self::M8,
        Self::M9Echo,
        Self::M9Order,
        Self::M10,
        Self::M11,
        Self::M12,
        Self::M13Epochs,
        Self::M13Fences,
        Self::M13Journals,
        Self::M13Wait,
        Self::M14End,
        Self::M14Budget,
        Self::SinkToken,
        Self::AuditFirst,
        Self::Succession,
        Self::LeaseCoversClaim,
        Self::PreemptPermitted,
        Self::ProveGranted,
        Self::UndoAsksAnew,
        Self::UndoAsksFresh,
        Self::StopOnlyTightens,
        Self::ReleaseNamesStop,
        Self::LaterWriteFence,
        Self::JournalKept,
        Self::OwnWhileReserved,
    ];
}

/// The rules in force.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules(u32);

impl Rules {
    /// All of them.
    #[must_use]
    pub const fn all() -> Self {
        Self(u32::MAX)
    }

    /// All but `rule`.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u32))
    }

    /// Whether `rule` is in force.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }
}
