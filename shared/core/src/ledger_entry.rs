//! One entry of the ledger with everything that is on record of it.

use crate::action::Digest;
use crate::claim::ClaimRequest;
use crate::foreign::ForeignEvidence;
use crate::ids::EntryId;
use crate::ledger::EntryState;
use crate::limits::Violation;
use crate::outcome::{Outcome, Report};
use crate::proposal::{Proposal, Work};
use crate::rules::RuleQuestion;
use crate::scope::{FencingToken, Scope};
use crate::severity::Severity;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One entry of the ledger, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    /// Its id.
    pub id: EntryId,
    /// Where it stands.
    pub state: EntryState,
    /// For an undo: the entry that it takes back.
    pub parent: Option<EntryId>,
    /// For an entry being taken back: the undo.
    pub child: Option<EntryId>,
    /// What is to be done.
    pub work: Work,
    /// Its digest: what an approval names.
    pub digest: Digest,
    /// The proposal.
    pub proposal: Proposal,
    /// The graver of the agent's grade and the coordinator's own.
    pub severity: Severity,
    /// Pods reserved while it holds budget.
    pub cost_pods: u32,
    /// Broken limits, when denied.
    pub violations: Vec<Violation>,
    /// Who approved, when somebody did; of two, the second.
    pub approved_by: Option<String>,
    /// Who said yes first, where two people must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_approved_by: Option<String>,
    /// The lease's tokens, when permitted.
    pub tokens: BTreeMap<Scope, FencingToken>,
    /// Epoch of the actuator that claimed it.
    pub actuator_epoch: Option<u64>,
    /// The claim, when made.
    pub claim: Option<ClaimRequest>,
    /// Nothing of its claim is on its way any more: its effect, its absence or its fence was confirmed.
    #[serde(default)]
    pub fenced: bool,
    /// What the user's rules were asked when it was proposed; `None` for undos, and where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<RuleQuestion>>,
    /// What was reported.
    pub report: Option<Report>,
    /// How it was graded.
    pub outcome: Option<Outcome>,
    /// What people did about it themselves, where picket did nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_others: Option<Box<ForeignEvidence>>,
    /// True while a person is asked to look.
    pub paging: bool,
    /// Every state it was in: (when, what), in coordinator time.
    pub history: Vec<(Timestamp, EntryState)>,
    /// When its present state runs out.
    pub deadline: Option<Timestamp>,
}

impl LedgerEntry {
    /// Its write may still be on its way, whatever was said of it: what it holds passes to nobody else.
    #[must_use]
    pub const fn waits_for_fence(&self) -> bool {
        self.claim.is_some() && !self.fenced
    }

    /// Its disruption budget is held.
    #[must_use]
    pub const fn holds_budget(&self) -> bool {
        self.state.holds_budget() || self.waits_for_fence()
    }

    /// Nothing leads out of its state, and nothing of it is on its way.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.state.is_terminal() && !self.waits_for_fence()
    }
}
