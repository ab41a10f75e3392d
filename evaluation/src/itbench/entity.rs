//! Groups of entities, and which service each of them is.

use super::architecture::{self, CLUSTER, NAMESPACE};
use super::read::{Group, Truth};
use picket_core::ids::ServiceId;
use std::collections::BTreeSet;

/// Kinds whose alerts are a service's.
const WORKLOADS: [&str; 7] = ["Pod", "Service", "ServiceOperation", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"];
/// What the demo's entities may lie in: injected faults have a namespace of their own.
const DEMO: [&str; 2] = [NAMESPACE, "chaos-mesh"];
/// How ids without a filter end.
const TAILS: [&str; 4] = ["-service", "-pod", "-deployment", "-statefulset"];

/// The name at the beginning of a filter: `checkout` of `checkout\b`, `checkout-.*` and `.*checkout-[a-z0-9]+$`. None where it has none.
pub(super) fn literal(filter: &str) -> Option<&str> {
    let mut rest = filter;
    while let Some(shorter) = ["^", "(", "\\b", ".*", ".+"].iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = shorter;
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
    let optional = rest[end..].starts_with(['?', '*', '{']);
    let name = &rest[..end.saturating_sub(usize::from(optional))];
    let name = name.trim_matches('-');
    (!name.is_empty()).then_some(name)
}

/// The name in an id: `ad` of `ad-service-1` and `ad-pod`.
pub(super) fn bare(id: &str) -> &str {
    let unnumbered = id.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let unnumbered = if unnumbered.is_empty() { id } else { unnumbered };
    TAILS.iter().find_map(|tail| unnumbered.strip_suffix(tail)).unwrap_or(unnumbered)
}

impl Group {
    /// By its filters, else its name, else its id.
    fn names(&self) -> Vec<&str> {
        let found: Vec<_> = self.filters.iter().filter_map(|filter| literal(filter)).collect();
        if found.is_empty() { vec![self.name.as_deref().unwrap_or_else(|| bare(&self.id))] } else { found }
    }

    /// The demo's services that it is.
    fn services(&self) -> Vec<ServiceId> {
        if self.namespace.as_deref().is_some_and(|namespace| !DEMO.contains(&namespace)) {
            return Vec::new();
        }
        self.names().into_iter().filter_map(architecture::service).collect()
    }
}

impl Truth {
    fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The service that shows an alert on a group; none where it is no workload. An id that is no group's speaks for itself.
    pub(super) fn shows(&self, id: &str) -> Option<ServiceId> {
        let Some(group) = self.group(id) else { return architecture::service(bare(id)) };
        if group.kind.as_deref().is_some_and(|kind| !WORKLOADS.contains(&kind)) {
            return None;
        }
        let elsewhere = || {
            let name = group.names().into_iter().next()?;
            Some(ServiceId::new(CLUSTER, group.namespace.as_deref().unwrap_or(NAMESPACE), name))
        };
        group.services().into_iter().next().or_else(elsewhere)
    }

    /// Groups that are said to be a root cause.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.root_cause)
    }

    /// The demo's services that are a root cause; none where it is a node, a flag, an injected fault with a name of its own.
    pub(super) fn root_services(&self) -> BTreeSet<ServiceId> {
        self.roots().flat_map(Group::services).collect()
    }

    /// These, and those of every group that the truth calls the same, directly or by a third.
    pub(super) fn accepted(&self) -> BTreeSet<ServiceId> {
        let mut same: BTreeSet<&str> = self.roots().map(|group| group.id.as_str()).collect();
        loop {
            let before = same.len();
            for together in &self.aliases {
                if together.iter().any(|id| same.contains(id.as_str())) {
                    same.extend(together.iter().map(String::as_str));
                }
            }
            if same.len() == before {
                break;
            }
        }
        let named = |id: &str| self.group(id).map_or_else(|| architecture::service(bare(id)).into_iter().collect(), Group::services);
        same.into_iter().flat_map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_ids_give_names() {
        for (filter, name) in [
            (r"checkout\b", Some("checkout")),
            ("checkout-.*", Some("checkout")),
            ("^frontend-proxy$", Some("frontend-proxy")),
            (".*frontend-[a-z0-9]+-[a-z0-9]+$", Some("frontend")),
            (".*payment.*", Some("payment")),
            ("ad-.*_AdService_GetAds", Some("ad")),
            ("(valkey-cart|cart)", Some("valkey-cart")),
            ("carts?", Some("cart")),
            (".*", None),
            ("", None),
            ("?", None),
            ("日本", None),
        ] {
            assert_eq!(literal(filter), name, "{filter}");
        }
        for (id, name) in
            [("ad-service-1", "ad"), ("ad-pod", "ad"), ("product-catalog-deployment-12", "product-catalog"), ("7", "7"), ("", "")]
        {
            assert_eq!(bare(id), name, "{id}");
        }
    }
}
