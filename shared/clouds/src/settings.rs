//! Settings: which services run where, and by which credentials picket may change them.

use crate::error::CloudError;
use crate::http::is_near;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// More are no longer one cluster.
const TARGETS_MAX: usize = 500;

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

impl CloudSettings {
    /// Whether any address is beyond this machine.
    pub(crate) fn reaches_far(&self) -> bool {
        let near = |url: &str| url.starts_with("http:") && is_near(url);
        let (aws, azure) = (&self.aws.endpoints, &self.azure.endpoints);
        let all_aws = [&aws.ecs, &aws.autoscaling, &aws.sts].iter().all(|url| url.as_deref().is_some_and(near));
        let all_azure = near(&azure.management) && near(&azure.login);
        self.targets.values().any(|target| match target {
            CloudTarget::Ecs { .. } | CloudTarget::Asg { .. } => !all_aws,
            CloudTarget::AksPool { .. } | CloudTarget::Vmss { .. } => !all_azure,
        })
    }

    /// Checks everything that goes into an address or a request.
    ///
    /// # Errors
    /// [`CloudError`] naming the first setting that is wrong, and what is expected.
    pub fn validate(&self) -> Result<(), CloudError> {
        let within = |what: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(CloudError::new(what, format!("{value} is not within {low} to {high}")))
            }
        };
        within("clouds.targets", self.targets.len() as u64, 0, TARGETS_MAX as u64)?;
        within("clouds.timeout_ms", self.timeout_ms, 100, 60_000)?;
        within("clouds.write_timeout_ms", self.write_timeout_ms, self.timeout_ms, 60_000)?;
        within("clouds.parallel", self.parallel as u64, 1, 32)?;
        within("clouds.aws.signature_life_s", self.aws.signature_life_s, 300, 3600)?;
        within("clouds.aws.patience_s", self.aws.patience_s, 0, 7200)?;
        within("clouds.aws.min_healthy_percentage", u64::from(self.aws.min_healthy_percentage), 75, 100)?;
        let mut places = BTreeMap::new();
        for (service, target) in &self.targets {
            let what = format!("clouds.targets.{service}");
            if service.split('/').count() != 2 || service.split('/').any(|part| !is_name(part, 63, "-.")) {
                return Err(CloudError::new(what, "expected NAMESPACE/NAME of a service"));
            }
            target.validate().map_err(|why| CloudError::new(&what, why))?;
            if let Some(other) = places.insert(target, service) {
                return Err(CloudError::new(what, format!("{other} runs at the same place; a place belongs to one service")));
            }
        }
        let aws = &self.aws.endpoints;
        let named =
            [("ecs", &aws.ecs), ("autoscaling", &aws.autoscaling), ("sts", &aws.sts), ("instance_metadata", &aws.instance_metadata)];
        for (name, url) in named {
            url.as_deref().map_or(Ok(()), |url| address(&format!("clouds.aws.endpoints.{name}"), url))?;
        }
        let azure = &self.azure.endpoints;
        for (name, url) in [("management", &azure.management), ("login", &azure.login), ("instance_metadata", &azure.instance_metadata)] {
            address(&format!("clouds.azure.endpoints.{name}"), url)?;
        }
        Ok(())
    }
}

impl CloudTarget {
    fn validate(&self) -> Result<(), String> {
        let is = |what: &str, text: &str, max: usize, also: &str| {
            if is_name(text, max, also) { Ok(()) } else { Err(format!("`{text}` is no {what}")) }
        };
        match self {
            Self::Ecs { region, cluster, service } => {
                is("region", region, 32, "-")?;
                is("name of an ECS cluster", cluster, 255, "-_")?;
                is("name of an ECS service", service, 255, "-_")
            }
            Self::Asg { region, group } => {
                is("region", region, 32, "-")?;
                let fits = !group.is_empty() && group.len() <= 255 && group.chars().all(|c| matches!(c, ' '..='~') && c != ':');
                if fits { Ok(()) } else { Err(format!("`{}` is no name of an Auto Scaling group", crate::error::words(group))) }
            }
            Self::AksPool { subscription, resource_group, cluster, pool } => {
                is("subscription id", subscription, 36, "-")?;
                is("resource group", resource_group, 90, "-_.()")?;
                is("name of an AKS cluster", cluster, 63, "-_")?;
                is("name of an agent pool", pool, 12, "")
            }
            Self::Vmss { subscription, resource_group, name } => {
                is("subscription id", subscription, 36, "-")?;
                is("resource group", resource_group, 90, "-_.()")?;
                is("name of a scale set", name, 64, "-_.")
            }
        }
    }
}

/// ASCII letters, digits and `also`; no name is all dots, which an address would resolve.
fn is_name(text: &str, max: usize, also: &str) -> bool {
    (1..=max).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        && text.chars().any(|c| c.is_ascii_alphanumeric())
}

/// Credentials travel in the clear to this machine and its host only.
fn address(what: &str, text: &str) -> Result<(), CloudError> {
    let url = reqwest::Url::parse(&text.replace("{region}", "region")).map_err(|e| CloudError::new(what, format!("`{text}`: {e}")))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let safe = url.scheme() == "https" || url.scheme() == "http" && is_near(text);
    if plain && safe { Ok(()) } else { Err(CloudError::new(what, "expected https://HOST[:PORT]; http only on this machine")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "
targets:
  shop/cart: {ecs: {region: eu-west-1, cluster: shop, service: cart}}
  shop/web: {asg: {region: eu-west-1, group: 'web tier/1'}}
  shop/nodes: {aks_pool: {subscription: 00000000-0000-0000-0000-000000000001, resource_group: shop, cluster: east, pool: apps}}
  shop/batch: {vmss: {subscription: 00000000-0000-0000-0000-000000000001, resource_group: shop, name: batch}}
aws:
  credentials: {web_identity: {role_arn: 'arn:aws:iam::123456789012:role/picket', token_file: /run/token, region: eu-west-1}}
azure:
  credentials: {workload_identity: {tenant: t, client: c, token_file: /run/token}}
";

    fn read(text: &str) -> Result<CloudSettings, String> {
        let settings: CloudSettings = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        settings.validate().map_err(|e| e.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let settings = read(WHOLE).unwrap();
        assert_eq!(settings.targets.len(), 4);
        assert_eq!(settings.aws.signature_life_s, 900);
        assert_eq!(read("{}").unwrap(), CloudSettings::default());
        assert_eq!(read("aws: {credentials: automatic}").unwrap(), CloudSettings::default());
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        for (bad, word) in [
            ("tragets: {}", "tragets"),
            ("targets: {cart: {asg: {region: r, group: g}}}", "NAMESPACE/NAME"),
            ("targets: {a/b: {ecs: {region: 'r.evil.com/', cluster: c, service: s}}}", "region"),
            ("targets: {a/b: {vmss: {subscription: s, resource_group: .., name: n}}}", "resource group"),
            ("targets: {a/b: {asg: {region: r, group: g}}, a/c: {asg: {region: r, group: g}}}", "same place"),
            ("aws: {signature_life_s: 10}", "signature_life_s"),
            ("aws: {endpoints: {ecs: 'http://ecs.example.com'}}", "https"),
            ("azure: {endpoints: {management: 'https://user@example.com'}}", "https"),
            ("parallel: 0", "parallel"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }
}
