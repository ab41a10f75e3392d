//! Settings: which services run where, and by which credentials picket may change them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Services of one cluster that do not run on Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CloudSettings {
    /// Where each service runs, by `NAMESPACE/NAME` of the service. A place belongs to one service only.
    pub targets: BTreeMap<String, CloudTarget>,
    /// How AWS is reached.
    pub aws: AwsSettings,
    /// How Azure is reached.
    pub azure: AzureSettings,
    /// Deadline of one request, in ms.
    pub timeout_ms: u64,
    /// Deadline of one act with all of its requests, in ms: no longer than `timing.write_timeout`.
    pub write_timeout_ms: u64,
    /// How many targets are fenced at the same time, 1 to 32.
    pub parallel: usize,
}

impl Default for CloudSettings {
    fn default() -> Self {
        Self {
            targets: BTreeMap::new(),
            aws: AwsSettings::default(),
            azure: AzureSettings::default(),
            timeout_ms: 2000,
            write_timeout_ms: 3000,
            parallel: 4,
        }
    }
}

/// One place where a service runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CloudTarget {
    /// A service of AWS Elastic Container Service.
    Ecs {
        /// Such as `eu-west-1`.
        region: String,
        /// Name of the ECS cluster.
        cluster: String,
        /// Name of the ECS service.
        service: String,
    },
    /// An EC2 Auto Scaling group.
    Asg {
        /// Such as `eu-west-1`.
        region: String,
        /// Name of the group.
        group: String,
    },
    /// A node pool of an AKS cluster.
    AksPool {
        /// Subscription id.
        subscription: String,
        /// Resource group of the AKS cluster.
        resource_group: String,
        /// Name of the AKS cluster.
        cluster: String,
        /// Name of the agent pool.
        pool: String,
    },
    /// A virtual machine scale set.
    Vmss {
        /// Subscription id.
        subscription: String,
        /// Resource group.
        resource_group: String,
        /// Name of the scale set.
        name: String,
    },
}

/// How AWS is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// Where the credentials come from.
    pub credentials: AwsCredentialsFrom,
    /// For how long AWS takes a request after the time in its signature, in s. AWS says five minutes; some of its services say fifteen in
    /// their errors. Until this has passed, a fence is not confirmed. 300 to 3600.
    pub signature_life_s: u64,
    /// For how long a proof or a fence waits within one call for signatures to expire, in s. 0 gives the caller its turn back at once.
    pub patience_s: u64,
    /// Of an instance refresh: the share of the group that stays healthy, in percent, 75 to 100: a quarter of
    /// the instances is reserved for a restart.
    pub min_healthy_percentage: u8,
    /// Other addresses than AWS's own.
    pub endpoints: AwsEndpoints,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            credentials: AwsCredentialsFrom::default(),
            signature_life_s: 900,
            patience_s: 0,
            min_healthy_percentage: 90,
            endpoints: AwsEndpoints::default(),
        }
    }
}

/// Where AWS credentials come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AwsCredentialsFrom {
    /// The first of these that the environment names: keys, web identity, the container's endpoint; else the instance's.
    #[default]
    Automatic,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of a shared credentials file. It is read again when its keys are refused.
    File {
        /// The file.
        path: PathBuf,
        /// The section.
        #[serde(default = "default_profile")]
        profile: String,
    },
    /// STS AssumeRoleWithWebIdentity with a token that is kept in a file, as on EKS.
    WebIdentity {
        /// The role.
        role_arn: String,
        /// The token's file; read at every refresh.
        token_file: PathBuf,
        /// Region whose STS is asked.
        region: String,
    },
    /// The endpoint that ECS and EKS Pod Identity give a container (`AWS_CONTAINER_CREDENTIALS_*`).
    Container,
    /// The instance's metadata service, version 2.
    Instance,
}

fn default_profile() -> String {
    "default".to_owned()
}

/// Addresses of AWS. `{region}` is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsEndpoints {
    /// `https://ecs.{region}.amazonaws.com`.
    pub ecs: Option<String>,
    /// `https://autoscaling.{region}.amazonaws.com`.
    pub autoscaling: Option<String>,
    /// `https://sts.{region}.amazonaws.com`.
    pub sts: Option<String>,
    /// `http://169.254.169.254`.
    pub instance_metadata: Option<String>,
}

/// How Azure is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AzureSettings {
    /// Where the credentials come from.
    pub credentials: AzureCredentialsFrom,
    /// Other addresses than those of the public cloud.
    pub endpoints: AzureEndpoints,
}

/// Where Azure credentials come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AzureCredentialsFrom {
    /// A federated token in a file is exchanged, as with AKS workload identity.
    WorkloadIdentity {
        /// Tenant id.
        tenant: String,
        /// Client id of the application or managed identity.
        client: String,
        /// The token's file; read at every refresh.
        token_file: PathBuf,
    },
    /// A client secret in a file.
    ClientSecret {
        /// Tenant id.
        tenant: String,
        /// Client id of the application.
        client: String,
        /// The secret's file; read at every refresh.
        secret_file: PathBuf,
    },
    /// The managed identity of the machine.
    ManagedIdentity {
        /// Client id, where the machine has more than one identity.
        #[serde(default)]
        client: Option<String>,
    },
}

impl Default for AzureCredentialsFrom {
    fn default() -> Self {
        Self::ManagedIdentity { client: None }
    }
}

/// Addresses of Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AzureEndpoints {
    /// The resource manager.
    pub management: String,
    /// The login endpoint.
    pub login: String,
    /// The machine's metadata service.
    pub instance_metadata: String,
}

impl Default for AzureEndpoints {
    fn default() -> Self {
        Self {
            management: "https://management.azure.com".to_owned(),
            login: "https://login.microsoftonline.com".to_owned(),
            instance_metadata: "http://169.254.169.254".to_owned(),
        }
    }
}
