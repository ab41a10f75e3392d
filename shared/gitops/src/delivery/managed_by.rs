//! Who delivers a live object.

use serde_json::Value;
use std::fmt;

/// The controller that would take a direct write back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedBy {
    /// Argo CD, by its tracking id.
    ArgoCd(String),
    /// Flux, by its Kustomization.
    FluxKustomization(String),
    /// Flux, by its HelmRelease.
    FluxHelmRelease(String),
}

impl fmt::Display for ManagedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgoCd(id) => write!(f, "Argo CD ({id})"),
            Self::FluxKustomization(name) => write!(f, "Flux (Kustomization {name})"),
            Self::FluxHelmRelease(name) => write!(f, "Flux (HelmRelease {name})"),
        }
    }
}

/// The delivery controller that manages a Kubernetes object, by the marks that it leaves. `app.kubernetes.io/instance` alone is none: Helm
/// and people write it too.
#[must_use]
pub fn managed_by(object: &Value) -> Option<ManagedBy> {
    let mark = |kind: &str, key: &str| {
        object.get("metadata")?.get(kind)?.get(key)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    mark("annotations", "argocd.argoproj.io/tracking-id")
        .map(ManagedBy::ArgoCd)
        .or_else(|| mark("labels", "kustomize.toolkit.fluxcd.io/name").map(ManagedBy::FluxKustomization))
        .or_else(|| mark("labels", "helm.toolkit.fluxcd.io/name").map(ManagedBy::FluxHelmRelease))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_of_controllers_are_told_from_common_labels() {
        let of = |metadata: Value| managed_by(&json!({"metadata": metadata}));
        let argo = of(json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/cart"}}));
        assert_eq!(argo, Some(ManagedBy::ArgoCd("shop:apps/Deployment:shop/cart".into())));
        assert_eq!(of(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}})), Some(ManagedBy::FluxKustomization("apps".into())));
        assert_eq!(of(json!({"labels": {"helm.toolkit.fluxcd.io/name": "cart"}})), Some(ManagedBy::FluxHelmRelease("cart".into())));
        assert_eq!(of(json!({"labels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"}})), None);
        assert_eq!(managed_by(&json!(null)), None);
    }
}
