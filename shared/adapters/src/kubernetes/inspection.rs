//! What the actuator's credentials may do, and whether the server holds them to the fence. Nothing is changed: rights are asked for, and a
//! write is only tried.

use super::executor::Executor;
use super::fences;
use super::objects::{Kind, Objects};
use super::plan;
use picket_core::ports::PortResult;

/// Whether the API server itself refuses writes without a fencing token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It does.
    Enforced,
    /// It does not: the admission policies are not there, or do not speak of these credentials.
    Missing,
    /// There is nothing that the credentials may try it on.
    Unknown,
}

/// How the credentials differ from what `deploy/kubernetes/rbac.yaml` grants, as `verb kind`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Acts need it.
    pub missing: Vec<String>,
    /// Nothing needs it, and it could do harm.
    pub too_many: Vec<String>,
}

/// What acts need beside what they write.
const NEEDED: [(&str, Kind); 5] = [
    ("list", Kind::Deployment),
    ("list", Kind::ReplicaSet),
    ("list", Kind::HorizontalPodAutoscaler),
    ("list", Kind::ResourceQuota),
    ("patch", Kind::Namespace),
];
/// What nothing needs.
const UNNEEDED: [(&str, Kind); 5] = [
    ("delete", Kind::Deployment),
    ("delete", Kind::Pod),
    ("delete", Kind::PersistentVolumeClaim),
    ("delete", Kind::Secret),
    ("delete", Kind::Namespace),
];
/// A namespace and a name that stand for any.
const ANY: &str = "default";

impl<O: Objects> Executor<O> {
    /// Asks what the credentials may do, one review for each.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn rights(&self) -> PortResult<Rights> {
        let mut rights = Rights::default();
        for (verb, kind) in NEEDED.into_iter().chain(plan::WRITES) {
            if !self.may(verb, kind).await? {
                rights.missing.push(format!("{verb} {}", kind.plural()));
            }
        }
        for (verb, kind) in UNNEEDED {
            if self.may(verb, kind).await? {
                rights.too_many.push(format!("{verb} {}", kind.plural()));
            }
        }
        Ok(rights)
    }

    async fn may(&self, verb: &str, kind: Kind) -> PortResult<bool> {
        let at = if kind == Kind::Namespace { Kind::namespace(ANY) } else { kind.named(ANY, ANY) };
        self.objects().may(verb, &at).await
    }

    /// Tries, dry, a write without a token.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn enforcement(&self) -> PortResult<Enforcement> {
        let deployments = self.objects().list(Kind::Deployment, None).await?;
        let Some(deployment) = deployments.iter().find(|deployment| plan::hands_off(deployment).is_none()) else {
            return Ok(Enforcement::Unknown);
        };
        let text = |pointer: &str| deployment.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        let at = Kind::Deployment.named(text("/metadata/namespace"), text("/metadata/name"));
        if !self.objects().may("patch", &at).await? {
            return Ok(Enforcement::Unknown);
        }
        let refused = fences::is_refused(self.objects(), &at, serde_json::Value::Null).await?;
        Ok(if refused { Enforcement::Enforced } else { Enforcement::Missing })
    }
}
