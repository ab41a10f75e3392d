//! Follows the ledger, and sees to it that every channel is told what it must know, once.

pub mod board;
pub mod decide;
pub mod follow;
pub mod lane;
pub mod pending;
pub mod seen;
pub mod worker;
