//! ECS services and Auto Scaling groups, on a real `moto` server behind a front door that refuses what AWS would refuse.

#![cfg(feature = "aws")]

mod crashes;
mod front;
#[path = "../gate/mod.rs"]
mod gate;
mod keys;
mod moto;
mod refusals;
mod rivals;
mod world;

use world::{Cloud, KINDS};

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let cloud = Cloud::start().await;
    for kind in KINDS {
        picket_executor_conformance::all(|| cloud.world(kind)).await;
    }
}
