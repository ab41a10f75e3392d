//! Who sent it: the resource, with the service's identity taken out of its attributes.

use super::attributes::attributes;
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use picket_core::ids::{ClusterName, ServiceId};
use picket_core::signal::Resource;
use std::collections::BTreeMap;

/// Names of workloads, best first, for senders that name no service.
const WORKLOADS: [&str; 5] = ["k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name"];

/// The resource of a payload, in the cluster of the sender's token.
pub(super) fn resource(sent: Option<&OtlpResource>, cluster: &ClusterName) -> Resource {
    from_attributes(sent.map(|resource| attributes(&resource.attributes)).unwrap_or_default(), cluster)
}

/// Takes what has a field of its own out of the attributes.
pub(super) fn from_attributes(mut attributes: BTreeMap<String, String>, cluster: &ClusterName) -> Resource {
    let mut take = |name: &str| attributes.remove(name).filter(|text| !text.is_empty());
    let service_namespace = take("service.namespace");
    let namespace = take("k8s.namespace.name").or(service_namespace).unwrap_or_default();
    // SDKs that were not told a name send `unknown_service:python`: that is no name.
    let named = take("service.name").filter(|name| !name.starts_with("unknown_service"));
    let pod = take("k8s.pod.name");
    let node = take("k8s.node.name");
    let version = take("service.version");
    let name = named.or_else(|| WORKLOADS.iter().find_map(|workload| attributes.get(*workload).cloned())).unwrap_or_default();
    // Who may name a cluster is the token alone.
    attributes.remove("k8s.cluster.name");
    Resource { service: service(cluster, &namespace, &name), pod, node, version, attributes }
}

/// A slash parts the names of an identity when it is written, so none may have one.
pub(super) fn service(cluster: &ClusterName, namespace: &str, name: &str) -> ServiceId {
    ServiceId { cluster: cluster.clone(), namespace: namespace.replace('/', "_"), name: name.to_owned() }
}

/// The workload of a pod named as Deployments, StatefulSets and DaemonSets name theirs; the pod's name when it is none of these.
pub(super) fn workload_of_pod(pod: &str) -> &str {
    // The alphabet of Kubernetes' generated suffixes has no vowels.
    let generated = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"aeiou".contains(&b)));
    let Some((rest, last)) = pod.rsplit_once('-') else { return pod };
    if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) && last.len() < 5 {
        return rest;
    }
    if last.len() != 5 || !generated(last) {
        return pod;
    }
    match rest.rsplit_once('-') {
        Some((workload, hash)) if (6..=10).contains(&hash.len()) && generated(hash) => workload,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Resource {
        from_attributes(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), &"east".into())
    }

    #[test]
    fn identity_is_taken_out_of_the_attributes() {
        let got = of(&[
            ("service.name", "cart"),
            ("k8s.namespace.name", "shop"),
            ("service.namespace", "other"),
            ("k8s.pod.name", "cart-1"),
            ("k8s.cluster.name", "west"),
            ("x", "y"),
        ]);
        assert_eq!(got.service, ServiceId::new("east", "shop", "cart"));
        assert_eq!(got.pod.as_deref(), Some("cart-1"));
        assert_eq!(got.attributes, BTreeMap::from([("x".to_owned(), "y".to_owned())]));
    }

    #[test]
    fn a_sender_without_a_name_is_its_workload_or_nobody() {
        assert_eq!(
            of(&[("service.name", "unknown_service:python"), ("k8s.deployment.name", "cart"), ("service.namespace", "a/b")]).service,
            ServiceId::new("east", "a_b", "cart")
        );
        assert_eq!(of(&[]).service, ServiceId::new("east", "", ""));
    }

    #[test]
    fn a_pod_tells_its_workload() {
        for (pod, workload) in [
            ("web-7d4b9c6f5-x2x9k", "web"),
            ("my-api-6d4cf56db6-8v6zx", "my-api"),
            ("db-0", "db"),
            ("agent-x2x9k", "agent"),
            ("web", "web"),
            ("payment-service", "payment-service"),
        ] {
            assert_eq!(workload_of_pod(pod), workload, "{pod}");
        }
    }
}
