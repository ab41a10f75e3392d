//! The dashboard page: one overview, rendered in the browser from what the server tells.
//!
//! It decides nothing. What it shows is in [`store`], which [`live`] keeps up to date; what it sends goes through [`send`].

mod approvals;
mod detail;
mod dialog;
mod evidence;
mod format;
mod gates;
mod incidents;
mod keys;
mod leases;
mod ledger;
mod live;
mod mark;
mod page;
mod route;
mod send;
mod store;
mod strip;
// The server's own file: one definition of what is said between the two.
#[path = "../../server/src/wire.rs"]
pub mod wire;

use wasm_bindgen::prelude::wasm_bindgen;

/// Puts the page into the document. `boot.js` calls it once the module is loaded.
#[wasm_bindgen]
pub fn run() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(page::Page);
}
