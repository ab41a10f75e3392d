//! Behaviour of the whole state machine.
