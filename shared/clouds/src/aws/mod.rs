//! AWS: ECS services and Auto Scaling groups.
//!
//! AWS takes any write that is signed and not too old; it compares nothing. So an act here is: compare, stamp, compare again, change; and what
//! stands in for the version of a Kubernetes object is time. Every write of an act bears the time at which the act began, and AWS refuses it
//! `signature_life_s` later. A fence that a read has shown for that long is passed by no earlier act (`horizon`). Until then a proof can tell
//! an effect that shows, and what this very process knows that it did not send (`attempts`), and nothing else.

mod api;
mod attempts;
mod autoscaling;
mod credentials;
mod ecs;
mod error;
mod executor;
mod fences;
mod horizon;
mod reading;
mod resource;
mod sign;
mod sources;
mod stamp;
mod xml;

pub(crate) use executor::{Aws, AwsTarget};

/// A form, as bodies of the Query protocol are.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://form/").expect("a constant");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}
