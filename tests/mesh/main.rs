//! The whole mesh as real processes: demo, kill -9, browser, replay, and the commands as a user types them.

mod browser;
mod commands;
mod coordinator;
mod demo;
mod failpoints;
mod kill_nine;
mod replay;
mod run;
