//! The executor against real git, over files and over ssh; its requests to forges and controllers against a server that writes them down.

mod acts;
mod claims;
mod conformance;
mod delivery;
mod forges;
mod repository;
mod routes;
mod server;
mod ssh;
