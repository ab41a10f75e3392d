//! What settings may hold: everything that goes into an address or a request is checked here.

use crate::error::CloudError;
use crate::http::is_near;
use crate::settings::{CloudSettings, CloudTarget};
use std::collections::BTreeMap;

/// More are no longer one cluster.
const TARGETS_MAX: usize = 500;

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
