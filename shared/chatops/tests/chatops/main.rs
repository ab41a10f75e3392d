//! Chat and paging with real HTTP on both sides: a local server plays Slack, Teams and PagerDuty, a scripted ledger plays the coordinator.

mod bridge;
mod channels;
mod decide;
mod entries;
mod guide;
mod ledger;
mod message;
mod outside;
mod queue;
mod routes;
mod secrets;
mod slack_shape;
