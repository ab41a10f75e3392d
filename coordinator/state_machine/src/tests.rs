//! Behaviour of the whole state machine. Every command of every test is followed by [`crate::check`].

mod approvals;
mod bounds;
mod claims;
mod happy;
mod leases;
mod phases;
mod protocol;
mod random;
mod stopping;
mod undoing;
mod world;
