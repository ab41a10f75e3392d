//! Which resources there are, and what a path names.

/// A kind of object and its name in paths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
    /// Whether its status is written by controllers only.
    pub has_status: bool,
}

/// Every resource that is served.
pub(super) const RESOURCES: [Resource; 10] = [
    Resource { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false, has_status: true },
    Resource { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true, has_status: true },
    Resource {
        group: "",
        version: "v1",
        plural: "persistentvolumeclaims",
        kind: "PersistentVolumeClaim",
        namespaced: true,
        has_status: true,
    },
    Resource { group: "", version: "v1", plural: "resourcequotas", kind: "ResourceQuota", namespaced: true, has_status: true },
    Resource { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true, has_status: false },
    Resource { group: "apps", version: "v1", plural: "deployments", kind: "Deployment", namespaced: true, has_status: true },
    Resource { group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet", namespaced: true, has_status: true },
    Resource {
        group: "networking.k8s.io",
        version: "v1",
        plural: "networkpolicies",
        kind: "NetworkPolicy",
        namespaced: true,
        has_status: false,
    },
    Resource {
        group: "autoscaling",
        version: "v2",
        plural: "horizontalpodautoscalers",
        kind: "HorizontalPodAutoscaler",
        namespaced: true,
        has_status: true,
    },
    Resource {
        group: "policy",
        version: "v1",
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        namespaced: true,
        has_status: true,
    },
];

impl Resource {
    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As messages write it: `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// What a path names: a collection, an object, or a part of it that has a path of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub resource: &'static Resource,
    /// `None`: all namespaces, or an object that is in none.
    pub namespace: Option<String>,
    /// `None`: the collection.
    pub name: Option<String>,
    pub subresource: Option<Subresource>,
}

/// A part of an object that is written by itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Subresource {
    /// Of a pod.
    Eviction,
    /// Of a deployment.
    Scale,
}

impl Subresource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eviction => "eviction",
            Self::Scale => "scale",
        }
    }

    fn of(plural: &str, name: &str) -> Option<Self> {
        match (plural, name) {
            ("pods", "eviction") => Some(Self::Eviction),
            ("deployments", "scale") => Some(Self::Scale),
            _ => None,
        }
    }
}

impl Place {
    /// Reads a path; `None` when it names nothing that is served.
    pub fn of(path: &str) -> Option<Self> {
        let mut steps = path.trim_matches('/').split('/');
        let (group, version) = match steps.next()? {
            "api" => ("", steps.next()?),
            "apis" => (steps.next()?, steps.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = steps.collect();
        let (namespace, plural, name, sub) = match rest[..] {
            [plural] => (None, plural, None, None),
            ["namespaces", name] => (None, "namespaces", Some(name), None),
            ["namespaces", namespace, plural] => (Some(namespace), plural, None, None),
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name), None),
            ["namespaces", namespace, plural, name, sub] => (Some(namespace), plural, Some(name), Some(Subresource::of(plural, sub)?)),
            _ => return None,
        };
        let resource = RESOURCES.iter().find(|r| r.group == group && r.version == version && r.plural == plural)?;
        (resource.namespaced || namespace.is_none()).then_some(())?;
        (namespace != Some("") && name != Some("")).then(|| Self {
            resource,
            namespace: namespace.map(ToOwned::to_owned),
            name: name.map(ToOwned::to_owned),
            subresource: sub,
        })
    }

    /// As a role's rule names it: `deployments`, `pods/eviction`.
    pub fn in_rules(&self) -> String {
        match self.subresource {
            Some(sub) => format!("{}/{}", self.resource.plural, sub.as_str()),
            None => self.resource.plural.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_objects_and_collections() {
        let place = Place::of("/apis/apps/v1/namespaces/shop/deployments/cart").unwrap();
        assert_eq!((place.resource.kind, place.namespace.as_deref(), place.name.as_deref()), ("Deployment", Some("shop"), Some("cart")));
        assert_eq!(Place::of("/api/v1/pods").unwrap().namespace, None);
        assert_eq!(Place::of("/api/v1/namespaces/shop/pods/a/eviction").unwrap().in_rules(), "pods/eviction");
        let place = Place::of("/api/v1/namespaces/shop").unwrap();
        assert_eq!((place.resource.kind, place.namespace, place.name.as_deref()), ("Namespace", None, Some("shop")));
        for nothing in [
            "/",
            "/api/v1",
            "/api/v1/deployments",
            "/apis/apps/v2/deployments",
            "/apis/apps/v1/namespaces/a/deployments/b/eviction",
            "/api/v1/namespaces//pods",
            "/api/v1/namespaces/shop/namespaces",
        ] {
            assert_eq!(Place::of(nothing), None, "{nothing}");
        }
    }
}
