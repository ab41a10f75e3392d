//! Everything at one moment: processes, network, targets, and the truth.

use crate::actuator::Actuator;
use crate::coordinator::Coordinator;
use crate::invariant::Broken;
use crate::message::Network;
use crate::observer::Observer;
use crate::setup::{ACTS, ACTUATORS, OBSERVERS, SINKS, SLOTS, Setup};
use crate::sink::Sink;
use crate::truth::Truth;

/// How often what has happened, against the configuration's bounds.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as the bounds are")]
pub struct Spent {
    pub crashes: u8,
    pub registrations: u8,
    pub foreign_writes: u8,
    pub status_writes: u8,
    pub resolves: u8,
    pub undos: u8,
    pub stops: u8,
    pub releases: u8,
    pub promotions: u8,
    pub readings: u8,
    pub observer_registrations: u8,
    pub grade_messages: u8,
    pub foreign_disruptions: u8,
    pub other_leases: u8,
    pub restores: u8,
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The coordinator.
    pub coordinator: Coordinator,
    /// Its backup.
    pub backup: Option<Box<Coordinator>>,
    /// Actuators.
    pub actuators: [Actuator; ACTUATORS],
    /// Observers.
    pub observers: [Observer; OBSERVERS],
    /// Evidence that agents have read and not used yet: coordinator time before it.
    pub evidence: [Option<u8>; ACTS],
    /// Targets.
    pub sinks: [Sink; SINKS],
    /// Messages.
    pub network: Network,
    /// What really happened.
    pub truth: Truth,
    /// What the bounds have left.
    pub spent: Spent,
    /// Promises broken.
    pub broken: Broken,
}

impl State {
    /// The beginning: one actuator and one observer in office, nothing asked for.
    #[must_use]
    pub fn start(setup: &Setup) -> Self {
        let grave = (0..setup.acts.len()).filter(|a| setup.acts[*a].grave).fold(0, |bits, a| bits | 1 << a);
        let mut actuators = [Actuator::default(); ACTUATORS];
        actuators[0].epoch = 1;
        let mut observers = [Observer::default(); OBSERVERS];
        observers[0].epoch = 1;
        Self {
            coordinator: Coordinator {
                life: 0,
                tokens: 0,
                actuator_epochs: 1,
                actuator_epoch: 1,
                observer_epoch: 1,
                entries: [None; SLOTS],
                leases: [None; crate::setup::SCOPES],
                stopped: false,
                keep_undos: false,
                stop_epoch: 0,
                phases: setup.phases,
                grave,
                clock: 0,
                facts: None,
                releases: 0,
                cooling: 0,
                gates: None,
            },
            backup: None,
            actuators,
            observers,
            evidence: [None; ACTS],
            sinks: [Sink::default(); SINKS],
            network: Network::default(),
            truth: Truth::START,
            spent: Spent::default(),
            broken: Broken::default(),
        }
    }
}
