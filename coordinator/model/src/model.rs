//! The model: which steps there are, and what each does.

use crate::actuator::{claiming, proving, writing};
use crate::coordinator::entries::step;
use crate::coordinator::{admission, authority, claim, grade, report, restore, stop, undo};
use crate::ledger::{Event, Stand};
use crate::message::{Grade, Message};
use crate::setup::{ACTS, ACTUATORS, OBSERVERS, Phase, SCOPES, SLOTS, Setup, is_undo};
use crate::state::State;
use crate::step::{Answer, Step};
use crate::{properties, world};
use stateright::{Model, Property};

impl Model for Setup {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(self)]
    }

    fn actions(&self, s: &State, steps: &mut Vec<Step>) {
        if !s.broken.is_none() {
            // One broken promise is enough: what follows from it is of no interest.
            return;
        }
        for message in s.network.iter() {
            steps.push(Step::Deliver(message, Answer::Lost));
            if matches!(message, Message::Write { .. } | Message::Fence { .. }) {
                steps.push(Step::Deliver(message, Answer::Heard));
            }
        }
        self.steps_of_entries(s, steps);
        self.steps_of_actuators(s, steps);
        self.steps_of_persons(s, steps);
        self.steps_of_observers(steps);
        self.steps_of_the_world(steps);
        if self.bounds.restores > 0 {
            self.steps_of_restore(s, steps);
        }
    }

    fn next_state(&self, before: &State, action: Step) -> Option<State> {
        let mut s = before.clone();
        if !self.apply(&mut s, action) {
            return None;
        }
        properties::judge_state(self, &mut s);
        // A step that changes nothing is none.
        (s != *before).then_some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl Setup {
    fn steps_of_entries(&self, s: &State, steps: &mut Vec<Step>) {
        for slot in 0..SLOTS as u8 {
            let Some(entry) = s.coordinator.entries[slot as usize] else {
                if (slot as usize) < self.acts.len() {
                    steps.push(Step::Propose(slot));
                    if self.bounds.ticks > 0 {
                        steps.push(Step::LookAtEvidence(slot));
                    }
                }
                continue;
            };
            match entry.stand {
                Stand::AwaitingApproval => steps.push(Step::SayYes(slot)),
                Stand::Approved | Stand::Queued => steps.push(Step::GoOn(slot)),
                Stand::Permitted => {
                    steps.extend((0..ACTUATORS as u8).map(|a| Step::Prepare(a, slot)));
                    steps.push(Step::Preempt(slot));
                }
                Stand::Claimed => {
                    steps.push(Step::Preempt(slot));
                    if self.bounds.deadlines {
                        steps.push(Step::DeadlinePasses(slot));
                    }
                }
                Stand::Observing | Stand::Inconclusive => self.steps_of_grading(slot, steps),
                _ => {}
            }
            if matches!(entry.stand, Stand::Indeterminate | Stand::UndoFailed) && s.spent.resolves < self.bounds.resolves {
                steps.extend([Step::Resolve(slot, true), Step::Resolve(slot, false)]);
            }
            if entry.stand.is_before_claim() && self.bounds.expiry {
                steps.push(Step::Expire(slot));
            }
        }
        if self.bounds.severity_rises {
            steps.extend((0..self.acts.len() as u8).map(Step::BecomeGrave));
        }
    }

    fn steps_of_grading(&self, slot: u8, steps: &mut Vec<Step>) {
        if self.bounds.grades && self.bounds.grade_messages == 0 {
            steps.extend([Step::Grade(slot, Grade::Good), Step::WindowOver(slot)]);
            if self.bounds.regressions && !is_undo(slot) {
                steps.push(Step::Grade(slot, Grade::Regressed));
            }
        }
        if self.bounds.grade_messages > 0 {
            for observer in 0..OBSERVERS as u8 {
                steps.extend([Grade::Good, Grade::Regressed].map(|grade| Step::SendGrade(observer, slot, grade)));
            }
        }
        if self.bounds.undos > 0 && !is_undo(slot) {
            steps.push(Step::AskUndo(slot));
        }
    }

    fn steps_of_actuators(&self, s: &State, steps: &mut Vec<Step>) {
        for actuator in 0..ACTUATORS as u8 {
            let known = s.actuators[actuator as usize];
            if known.job.is_some() {
                steps
                    .extend([Step::Act, Step::GiveUp, Step::TimeOut, Step::Prove, Step::Crash, Step::AuditLate].map(|step| step(actuator)));
            } else if known.epoch != 0 {
                steps.extend((0..SLOTS as u8).map(|slot| Step::TakeOver(actuator, slot)));
            }
            if self.bounds.registrations > 0 {
                steps.push(Step::Register(actuator));
            }
        }
    }

    fn steps_of_persons(&self, s: &State, steps: &mut Vec<Step>) {
        if s.spent.stops < self.bounds.stops {
            steps.push(Step::Stop(false));
            if self.bounds.keeping_stops {
                steps.push(Step::Stop(true));
            }
        }
        if s.spent.releases < self.bounds.releases && s.coordinator.stopped {
            steps.push(Step::SendRelease);
        }
        if s.spent.promotions < self.bounds.promotions {
            steps.extend([Step::SendPromotion(0), Step::SendPromotion(1)]);
        }
    }

    fn steps_of_observers(&self, steps: &mut Vec<Step>) {
        for observer in 0..OBSERVERS as u8 {
            if self.bounds.observer_registrations > 0 {
                steps.push(Step::RegisterObserver(observer));
            }
            if self.bounds.readings > 0 {
                steps.extend([Step::BeginReading(observer), Step::Read(observer)]);
            }
        }
    }

    fn steps_of_the_world(&self, steps: &mut Vec<Step>) {
        if self.bounds.ticks > 0 {
            steps.push(Step::Tick);
        }
        if self.bounds.foreign_disruptions > 0 {
            steps.push(Step::Disrupt);
        }
        for slot in 0..self.acts.len() as u8 {
            if self.bounds.heals {
                steps.push(Step::Heal(slot));
            }
            if self.bounds.cooldowns {
                steps.push(Step::CooldownOver(self.act(slot).group));
            }
        }
        for scope in 0..SCOPES as u8 {
            if self.bounds.lease_expiry {
                steps.push(Step::LeaseExpires(scope));
            }
            if self.bounds.other_leases > 0 {
                steps.push(Step::OtherTakes(scope));
            }
        }
        for sink in self.targets() {
            if self.bounds.foreign_writes > 0 {
                steps.extend([Step::ForeignWrite(sink, false), Step::ForeignWrite(sink, true)]);
            }
            if self.bounds.status_writes > 0 {
                steps.push(Step::StatusWrite(sink));
            }
        }
    }

    /// Targets that some act writes.
    fn targets(&self) -> impl Iterator<Item = u8> + '_ {
        (0..crate::setup::SINKS as u8).filter(|t| self.acts.iter().any(|a| a.writes.contains(t)))
    }

    fn steps_of_restore(&self, s: &State, steps: &mut Vec<Step>) {
        if s.spent.restores < self.bounds.restores {
            steps.push(if s.backup.is_none() { Step::Backup } else { Step::Restore });
        }
        if s.coordinator.gates.is_some() {
            steps.extend([Step::RestoreFence(0), Step::RestoreFence(1), Step::Upload(0), Step::Upload(1), Step::Wait]);
            if self.bounds.waivers {
                steps.extend([Step::Waive(0), Step::Waive(1)]);
            }
        }
    }

    /// Carries a step out; `false` when it cannot be taken now.
    fn apply(&self, s: &mut State, action: Step) -> bool {
        match action {
            Step::Deliver(message, answer) => self.deliver(s, message, answer == Answer::Heard),
            Step::LookAtEvidence(slot) => world::look_at_evidence(self, s, slot),
            Step::Propose(slot) => admission::propose(self, s, slot),
            Step::SayYes(slot) => self.say_yes(s, slot),
            Step::GoOn(slot) => admission::go_on(self, s, slot),
            Step::Expire(slot) => step(self, s, slot, Event::Expire),
            Step::Preempt(slot) => admission::preempt(self, s, slot),
            Step::BecomeGrave(slot) => {
                s.coordinator.grave |= 1 << slot;
                true
            }
            Step::Prepare(actuator, slot) => claiming::prepare(self, s, actuator as usize, slot),
            Step::AuditLate(actuator) => claiming::audit_late(self, s, actuator as usize),
            Step::Act(actuator) => writing::act(self, s, actuator as usize),
            Step::GiveUp(actuator) => claiming::give_up(self, s, actuator as usize),
            Step::TimeOut(actuator) => writing::time_out(s, actuator as usize),
            Step::Prove(actuator) => proving::prove(self, s, actuator as usize),
            Step::Crash(actuator) => claiming::crash(self, s, actuator as usize),
            Step::Register(actuator) => claiming::register(self, s, actuator as usize),
            Step::TakeOver(actuator, slot) => claiming::take_over(self, s, actuator as usize, slot),
            Step::DeadlinePasses(slot) => report::deadline(self, s, slot),
            Step::Grade(slot, grade) => self.grade_at_once(s, slot, grade),
            Step::SendGrade(observer, slot, grade) => self.send_grade(s, observer as usize, slot, grade),
            Step::WindowOver(slot) => grade::window_over(self, s, slot),
            Step::Resolve(slot, settled) => {
                s.spent.resolves += 1;
                report::resolve(self, s, slot, settled)
            }
            Step::AskUndo(slot) => self.ask_undo(s, slot),
            Step::Stop(keep_undos) => {
                s.spent.stops += 1;
                stop::stop(self, s, keep_undos);
                true
            }
            Step::SendRelease => {
                s.spent.releases += 1;
                s.network.send(Message::Release { stop_epoch: s.coordinator.stop_epoch });
                true
            }
            Step::SendPromotion(agent) => self.send_promotion(s, agent),
            other => self.apply_to_world(s, other),
        }
    }

    fn apply_to_world(&self, s: &mut State, action: Step) -> bool {
        match action {
            Step::CooldownOver(group) => {
                let bit = 1 << group;
                let running = s.coordinator.cooling & bit != 0;
                s.coordinator.cooling &= !bit;
                if self.rules.has(crate::rules::Rule::M11) {
                    s.truth.cooling &= !bit;
                }
                running
            }
            Step::LeaseExpires(scope) => world::lease_expires(self, s, scope as usize),
            Step::OtherTakes(scope) => world::other_takes(self, s, scope as usize),
            Step::ForeignWrite(sink, equal) => world::foreign_write(self, s, sink as usize, equal),
            Step::StatusWrite(sink) => world::status_write(self, s, sink as usize),
            Step::Tick => world::tick(self, s),
            Step::RegisterObserver(observer) => world::register_observer(self, s, observer as usize),
            Step::BeginReading(observer) => world::begin_reading(self, s, observer as usize),
            Step::Read(observer) => world::read(self, s, observer as usize),
            Step::Disrupt => world::disrupt(self, s),
            Step::Heal(slot) => world::heal(self, s, slot),
            Step::Backup => {
                s.backup = Some(Box::new(s.coordinator));
                true
            }
            Step::Restore => {
                s.spent.restores += 1;
                restore::restore(self, s)
            }
            Step::RestoreFence(sink) => restore::fence(self, s, sink as usize),
            Step::Upload(actuator) => restore::upload(self, s, actuator as usize),
            Step::Waive(actuator) => restore::waive(self, s, actuator as usize),
            Step::Wait => restore::wait(s),
            _ => false,
        }
    }

    fn deliver(&self, s: &mut State, message: Message, answered: bool) -> bool {
        match message {
            Message::Claim { id, epoch, token, before } => claim::claim(self, s, id, epoch, token, before),
            Message::Write { id, write, sink, token, precondition, content } => {
                let travelling = writing::Travelling { id, write, sink, token, precondition, content };
                writing::deliver(self, s, travelling, answered)
            }
            Message::Fence { id, sink, token, precondition } => proving::deliver(self, s, id, sink, token, precondition, answered),
            Message::Report { id, epoch, verdict } => report::report(self, s, id, epoch, verdict),
            Message::Approve { id, stop_epoch } => admission::approve(self, s, id, stop_epoch),
            Message::Promote { agent, to, stop_epoch } => authority::promote(self, s, agent, to, stop_epoch),
            Message::Undo { id, stop_epoch } => undo::by_person(self, s, id, stop_epoch),
            Message::Release { stop_epoch } => stop::release(self, s, stop_epoch),
            Message::Facts(facts) => authority::take_facts(self, s, facts),
            Message::Grade { id, epoch, grade } => grade::grade(self, s, id, epoch, grade),
            Message::OtherWrite { sink, token } => world::other_write(self, s, sink, token),
        }
    }

    fn say_yes(&self, s: &mut State, slot: u8) -> bool {
        let Some(entry) = s.coordinator.entries[slot as usize] else { return false };
        s.network.send(Message::Approve { id: entry.id, stop_epoch: s.coordinator.stop_epoch });
        true
    }

    fn ask_undo(&self, s: &mut State, slot: u8) -> bool {
        let Some(entry) = s.coordinator.entries[slot as usize].filter(|_| s.spent.undos < self.bounds.undos) else { return false };
        s.spent.undos += 1;
        s.network.send(Message::Undo { id: entry.id, stop_epoch: s.coordinator.stop_epoch });
        true
    }

    fn grade_at_once(&self, s: &mut State, slot: u8, found: Grade) -> bool {
        let epoch = s.coordinator.observer_epoch;
        s.coordinator.entries[slot as usize].is_some_and(|e| grade::grade(self, s, e.id, epoch, found))
    }

    fn send_grade(&self, s: &mut State, observer: usize, slot: u8, found: Grade) -> bool {
        let epoch = s.observers[observer].epoch;
        if epoch == 0 || s.spent.grade_messages == self.bounds.grade_messages {
            return false;
        }
        s.spent.grade_messages += 1;
        let Some(entry) = s.coordinator.entries[slot as usize] else { return false };
        s.network.send(Message::Grade { id: entry.id, epoch, grade: found });
        true
    }

    fn send_promotion(&self, s: &mut State, agent: u8) -> bool {
        let to = match s.coordinator.phases[agent as usize] {
            Phase::Observe => Phase::Assist,
            Phase::Assist => Phase::Autonomous,
            Phase::Autonomous => return false,
        };
        if !self.acts.iter().take(ACTS).any(|a| a.agent == agent) {
            return false;
        }
        s.spent.promotions += 1;
        s.network.send(Message::Promote { agent, to, stop_epoch: s.coordinator.stop_epoch });
        true
    }
}
