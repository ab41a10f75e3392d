//! The names under which targets appear in receipts and on records.

use crate::settings::CloudTarget;
use picket_core::outcome::ObjectRef;
use picket_core::ports::PortError;

/// The kind of a target, and where it is: `EcsService eu-west-1/shop/cart`.
pub(crate) fn object(target: &CloudTarget) -> ObjectRef {
    let of = |kind: &str, namespace: String, name: &str| ObjectRef { kind: kind.to_owned(), namespace, name: name.to_owned() };
    match target {
        CloudTarget::Ecs { region, cluster, service } => of("EcsService", format!("{region}/{cluster}"), service),
        CloudTarget::Asg { region, group } => of("AutoScalingGroup", region.clone(), group),
        CloudTarget::AksPool { subscription, resource_group, cluster, pool } => {
            of("AksAgentPool", format!("{subscription}/{resource_group}/{cluster}"), pool)
        }
        CloudTarget::Vmss { subscription, resource_group, name } => of("VmScaleSet", format!("{subscription}/{resource_group}"), name),
    }
}

/// For errors and logs.
pub(crate) fn label(at: &ObjectRef) -> String {
    format!("{} {}/{}", at.kind, at.namespace, at.name)
}

/// The request is wrong for this object.
pub(crate) fn refused(at: &ObjectRef, why: impl Into<String>) -> PortError {
    PortError::Refused { what: label(at), why: why.into() }
}
