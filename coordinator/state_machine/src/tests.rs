//! Behaviour of the whole state machine. Every command of every test is followed by [`crate::check`].

mod acts;
mod approvals;
mod bounds;
mod capacity;
mod caution;
mod claims;
mod fencing;
mod fleets;
mod foreign;
mod happy;
mod leaders;
mod leases;
mod lines;
mod members;
mod moves;
mod phases;
mod policies;
mod protocol;
mod random;
mod restoring;
mod snapshots;
mod stopping;
mod undoing;
mod world;
