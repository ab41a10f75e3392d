//! The fence at the sink, as picket's ValidatingAdmissionPolicy sets it up: a write by the actuator's credentials must bear a fencing
//! token that is not lower than the one on the object, nor than the one on its namespace (I3). Other users' writes pass. A real server
//! reads the namespace from a cache, for up to 130 ms; this one does not.

use super::access::Role;
use super::resource::Resource;
use super::status::Status;
use serde_json::Value;

const FENCING_TOKEN: &str = "picket.dev/fencing-token";
const POLICY: &str = "picket-fence";

/// Admits a write or says why not.
pub(super) fn admit(
    role: Role,
    resource: &Resource,
    name: &str,
    namespace: Option<&Value>,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Status> {
    if role != Role::Writer {
        return Ok(());
    }
    let deny = |why: &str| Err(Status::denied_by_policy(resource, name, POLICY, why));
    match (old.and_then(token), token(new)) {
        (_, None) => deny("the write bears no annotation picket.dev/fencing-token with a whole number"),
        (Some(old), Some(new)) if new < old => deny(&format!("fencing token {new} is lower than {old}, which the object has accepted")),
        (_, Some(new)) => match namespace.and_then(token).filter(|fence| new < *fence) {
            Some(fence) => deny(&format!("fencing token {new} is lower than {fence}, the fence of its namespace")),
            None => Ok(()),
        },
    }
}

fn token(object: &Value) -> Option<u64> {
    object["metadata"]["annotations"].get(FENCING_TOKEN)?.as_str()?.parse().ok()
}
