//! Faults of roles and ports, planted on purpose to show that the checks have teeth. Each stands in a wrapper of this crate: nothing that
//! ships knows of them.

use std::cell::Cell;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write goes out without its fencing token.
    TokenNotStamped,
    /// A write that a read does not show is taken for one that never lands.
    AbsenceFromRead,
    /// The target is read anew after the claim, and the write made on that.
    TargetReadAfterClaim,
    /// A claim that is resumed is written again.
    ResumeWrites,
    /// The observer grades without watching.
    MonitorSkipped,
    /// The audit record is written after the claim.
    AuditAfterClaim,
}

thread_local! {
    static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Plants one fault in this thread, in place of the one before; `None` takes it out.
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

pub(crate) fn is(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}
