//! What really happened, which no process sees: the properties are judged by it.

use crate::setup::{AGENTS, LIVES, SCOPES, SINKS, SLOTS};

/// History and world. Indexed by life, then slot, where an entry is meant.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Writes that landed, as bits.
    pub landed: [[u8; SLOTS]; LIVES],
    /// Writes that were reported absent, and believed.
    pub absent: [[u8; SLOTS]; LIVES],
    /// The actuator epoch that each claim was granted to; 0: never claimed.
    pub claimed_by: [[u8; SLOTS]; LIVES],
    /// Entries whose audit record is durable, as bits.
    pub audited: [u8; LIVES],
    /// The newest token of each scope.
    pub granted: [u8; SCOPES],
    /// The highest token that each target has accepted.
    pub accepted: [u8; SINKS],
    /// Groups in cooldown, counted from the last resolution, as bits.
    pub cooling: u8,
    /// Acts whose pods are down, as bits.
    pub down: u8,
    /// Pods that others hold down.
    pub foreign_down: u8,
    /// The newest reading that reached the coordinator: epoch, number, pods of others.
    pub newest: (u8, u8, u8),
    /// Somebody pressed STOP without leave for undos, and nobody has released it.
    pub undos_withheld: bool,
    /// The stop epoch under which each agent's phase was consented to.
    pub consent: [u8; AGENTS],
}

impl Truth {
    /// Nothing has happened.
    pub const START: Self = Self {
        landed: [[0; SLOTS]; LIVES],
        absent: [[0; SLOTS]; LIVES],
        claimed_by: [[0; SLOTS]; LIVES],
        audited: [0; LIVES],
        granted: [0; SCOPES],
        accepted: [0; SINKS],
        cooling: 0,
        down: 0,
        foreign_down: 0,
        newest: (0, 0, 0),
        undos_withheld: false,
        consent: [0; AGENTS],
    };
}
