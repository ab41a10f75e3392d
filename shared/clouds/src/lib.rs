//! Clouds: carries acts out on services that do not run on Kubernetes: ECS services and EC2 Auto Scaling groups on AWS, AKS agent pools and
//! VM scale sets on Azure.
//!
//! What an act means is decided once, in `plan`, on a [`Snapshot`](snapshot::Snapshot) of the resource. How it is written, and what can be
//! proven of it, differs: Azure takes a write on the version that was read and on no other (`azure`), AWS takes every write that is signed
//! and not too old (`aws`). docs/decisions/0025 says what follows from that, docs/clouds.md which permissions each needs.
//!
//! Architecture invariant: no write is repeated, and none is sent that `prove` could not account for.

mod clock;
mod error;
mod executor;
mod http;
mod object;
mod plan;
mod reader;
mod secret;
mod settings;
mod snapshot;
mod validate;

#[cfg(not(any(feature = "aws", feature = "azure")))]
compile_error!("picket-clouds without a cloud does nothing: choose the feature `aws`, `azure` or both");

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;

pub use clock::{Clock, SystemClock};
pub use error::CloudError;
pub use executor::CloudExecutor;
pub use reader::CloudReader;
pub use settings::{
    AwsCredentialsFrom, AwsEndpoints, AwsSettings, AzureCredentialsFrom, AzureEndpoints, AzureSettings, CloudSettings, CloudTarget,
};
