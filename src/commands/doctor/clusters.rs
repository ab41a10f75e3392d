//! One cluster's API server: reached by both credentials, allowed what acts need, and refusing what they must not do.

use super::in_time;
use super::report::Check;
use crate::wiring;
use picket_adapters::kubernetes::Enforcement;
use picket_core::config::Cluster;
use picket_core::ports::ClusterReader as _;

/// Looks at one cluster.
pub async fn check(cluster: &Cluster) -> Vec<Check> {
    vec![reading(cluster).await, writing(cluster).await, fences(cluster).await]
}

async fn reading(cluster: &Cluster) -> Check {
    let name = format!("{}: reading", cluster.name);
    let nothing_reserved = std::collections::BTreeMap::new();
    match in_time(async { Ok(wiring::reader(cluster)?.read(&nothing_reserved).await?.len()) }).await {
        Ok(0) => Check::warning(name, "no deployment is seen", "is this the cluster that was meant (mesh.clusters, api_url)?"),
        Ok(services) => Check::ok(name, format!("{services} deployments at {}", cluster.api_url)),
        Err(why) => Check::failed(name, why, "check api_url, api_ca_file and read_token_file, and apply deploy/kubernetes/rbac.yaml"),
    }
}

async fn writing(cluster: &Cluster) -> Check {
    let name = format!("{}: rights", cluster.name);
    match in_time(async { Ok(wiring::executor(cluster)?.rights().await?) }).await {
        Ok(rights) if rights.too_many.is_empty() && rights.missing.is_empty() => {
            Check::ok(name, "the actuator may do what acts need, and no more of what was asked about")
        }
        Ok(rights) if !rights.too_many.is_empty() => Check::failed(
            name,
            format!("the actuator may {}", rights.too_many.join(", ")),
            "give it the roles of deploy/kubernetes/rbac.yaml and nothing beside them",
        ),
        Ok(rights) => Check::warning(
            name,
            format!("the actuator may not {}", rights.missing.join(", ")),
            "acts that need it are refused before they are claimed; apply deploy/kubernetes/rbac.yaml to allow them",
        ),
        Err(why) => Check::failed(name, why, "check write_token_file on the machine of this cluster's actuator"),
    }
}

async fn fences(cluster: &Cluster) -> Check {
    let name = format!("{}: fencing", cluster.name);
    match in_time(async { Ok(wiring::executor(cluster)?.enforcement().await?) }).await {
        Ok(Enforcement::Enforced) => Check::ok(name, "the API server refuses writes without a fencing token"),
        Ok(Enforcement::Missing) => Check::warning(
            name,
            "the API server lets a write without a fencing token through: two lines of defence hold, the third is missing",
            "apply deploy/kubernetes/admission.yaml (Kubernetes 1.30 or later)",
        ),
        Ok(Enforcement::Unknown) => Check::warning(
            name,
            "there is no deployment that the actuator may try it on",
            "give it the rights above, or run this again when there is one",
        ),
        Err(why) => Check::failed(name, why, "check write_token_file on the machine of this cluster's actuator"),
    }
}
