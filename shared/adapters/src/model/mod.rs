//! Language models over HTTP: Anthropic's Messages API, OpenAI's Chat Completions API and whatever is compatible with it.
//!
//! A call runs by itself, ends within its deadline, and is tried again only where that can help. Keys are shown to the server and to nobody
//! else; what a server says in words is not repeated, since it may repeat what it was sent.

mod anthropic;
mod call;
mod client;
mod key;
mod openai;
mod retry;

pub use client::{HttpModel, ModelError, ModelSettings};
pub use key::{ApiKey, KeyError};

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
