//! What may happen next.

use crate::message::{Grade, Message};

/// A step of the model. Each is one atomic action of one process, of the network, or of the world.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A message arrives; for a write or a fence, its answer arrives as well, or is lost.
    Deliver(Message, Answer),
    /// An agent obtains the time and looks at its evidence.
    LookAtEvidence(u8),
    /// An agent proposes.
    Propose(u8),
    /// A person is shown an entry and says yes.
    SayYes(u8),
    /// An approved or queued entry goes on.
    GoOn(u8),
    /// A permit, a place in the queue or an approval runs out.
    Expire(u8),
    /// A graver act makes the holder give way.
    Preempt(u8),
    /// An incident becomes grave.
    BecomeGrave(u8),
    /// An actuator reads, records and claims.
    Prepare(u8, u8),
    /// Its audit record becomes durable after the claim was sent.
    AuditLate(u8),
    /// It hears that the claim was granted, and writes.
    Act(u8),
    /// It forgets a claim that cannot be granted any more.
    GiveUp(u8),
    /// It waits for an answer no longer.
    TimeOut(u8),
    /// It reads, and asks the fence.
    Prove(u8),
    /// It crashes.
    Crash(u8),
    /// It takes the office.
    Register(u8),
    /// In office, it takes up another's claim.
    TakeOver(u8, u8),
    /// `act_deadline` passes.
    DeadlinePasses(u8),
    /// The observer grades at once.
    Grade(u8, Grade),
    /// An observer sends a grade.
    SendGrade(u8, u8, Grade),
    /// Nobody graded in time.
    WindowOver(u8),
    /// A person resolves: true for settled.
    Resolve(u8, bool),
    /// A person asks for an undo.
    AskUndo(u8),
    /// A person presses STOP: true with leave for undos.
    Stop(bool),
    /// A person sends a release.
    SendRelease,
    /// A person consents to an agent's next phase.
    SendPromotion(u8),
    /// A cooldown is over.
    CooldownOver(u8),
    /// A lease runs out.
    LeaseExpires(u8),
    /// Other automation takes a lease.
    OtherTakes(u8),
    /// Somebody writes a target.
    ForeignWrite(u8, bool),
    /// A target's status moves its version.
    StatusWrite(u8),
    /// The clock moves.
    Tick,
    /// An observer takes the office.
    RegisterObserver(u8),
    /// An observer obtains the time.
    BeginReading(u8),
    /// It reads and posts.
    Read(u8),
    /// Others take a pod down.
    Disrupt,
    /// An act's pods come back.
    Heal(u8),
    /// A backup is made.
    Backup,
    /// It is restored.
    Restore,
    /// A sink's fence is raised to the new life.
    RestoreFence(u8),
    /// An actuator's journal is uploaded.
    Upload(u8),
    /// An actuator's journal is lost, and waived.
    Waive(u8),
    /// The longest cooldown and `act_deadline` pass.
    Wait,
}

/// Whether the sender hears what became of its write.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It does.
    Heard,
    /// It never will.
    Lost,
}
