//! The fields that an act sets, as the direct executor sets them in the cluster (but for its notes on the workload).

use crate::pointer::{Fields, step};
use crate::yaml::Told;
use picket_core::action::Remediation;
use picket_core::quantity;
use picket_core::time::Timestamp;
use serde_json::{Value, json};

/// The annotation by which `kubectl rollout restart` restarts.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Where it stands in a Deployment.
pub(crate) fn restarted_at() -> String {
    format!("/spec/template/metadata/annotations/{}", step(RESTARTED_AT))
}

/// Whole seconds, as kubectl writes it: a commit's date has no more.
pub(super) fn rfc3339(at: Timestamp) -> Told<String> {
    jiff::Timestamp::from_second(at.0.div_euclid(1000)).map(|time| time.to_string()).map_err(|e| format!("{at} is no time: {e}"))
}

/// What is set in the object, for acts that set fields of an existing one. `stamp` is the time of a restart.
pub(super) fn forward(remediation: &Remediation, object: &Value, stamp: &str) -> Told<Fields> {
    Ok(match remediation {
        Remediation::RolloutRestart => Fields::from([(restarted_at(), json!(stamp))]),
        Remediation::Scale { replicas, from } => {
            let standing = match object.pointer("/spec/replicas") {
                None => 1,
                Some(value) => value.as_u64().ok_or_else(|| format!("its replicas are {value}"))?,
            };
            // The act was weighed as "more" or "less" than there were; the other way round it is another act.
            if (replicas > from) != (u64::from(*replicas) > standing) {
                return Err(format!("the manifest has {standing} replicas, not {from} as when this was proposed"));
            }
            Fields::from([("/spec/replicas".to_owned(), json!(replicas))])
        }
        Remediation::SetMemoryLimit { container, limit_bytes } => {
            let at = container_at(object, container)?;
            let limit = amount(object, format!("{at}/resources/limits/memory"), quantity::bytes(*limit_bytes));
            Fields::from([name_of(&at, container), limit])
        }
        Remediation::SetResources { container, cpu_request_millicores, memory_bytes } => {
            let at = container_at(object, container)?;
            let memory = quantity::bytes(*memory_bytes);
            Fields::from([
                name_of(&at, container),
                amount(object, format!("{at}/resources/requests/cpu"), quantity::millicores(*cpu_request_millicores)),
                amount(object, format!("{at}/resources/requests/memory"), memory.clone()),
                amount(object, format!("{at}/resources/limits/memory"), memory),
            ])
        }
        Remediation::ExpandVolume { size_bytes, .. } => {
            let at = "/spec/resources/requests/storage".to_owned();
            let standing = object.pointer(&at).and_then(quantity::of);
            if standing.is_none_or(|standing| standing >= *size_bytes as f64) {
                return Err(format!("it asks for {} already", object.pointer(&at).unwrap_or(&Value::Null)));
            }
            Fields::from([amount(object, at, quantity::bytes(*size_bytes))])
        }
        Remediation::SetReplicaBounds { min, max, from_max, .. } => {
            let standing = object.pointer("/spec/maxReplicas").and_then(Value::as_u64).unwrap_or(0);
            if standing != u64::from(*from_max) {
                return Err(format!("the manifest lets it choose up to {standing} replicas, not {from_max} as when this was proposed"));
            }
            Fields::from([("/spec/minReplicas".to_owned(), json!(min)), ("/spec/maxReplicas".to_owned(), json!(max))])
        }
        Remediation::Rollback { .. } | Remediation::Quarantine | Remediation::RenewCertificate { .. } => {
            return Err("this act sets no single fields".to_owned());
        }
    })
}

/// An equal quantity in another spelling stays as it is written.
fn amount(object: &Value, at: String, wanted: String) -> (String, Value) {
    let standing = object.pointer(&at).filter(|value| quantity::of(value).is_some_and(|n| Some(n) == quantity::parse(&wanted)));
    let value = standing.cloned().unwrap_or_else(|| json!(wanted));
    (at, value)
}

fn container_at(object: &Value, name: &str) -> Told<String> {
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let index = containers.and_then(|list| list.iter().position(|c| c.get("name").and_then(Value::as_str) == Some(name)));
    index.map(|i| format!("/spec/template/spec/containers/{i}")).ok_or_else(|| format!("it has no container `{name}`"))
}

/// Part of the receipt, so that an undo never writes into another container that took this one's place.
fn name_of(at: &str, name: &str) -> (String, Value) {
    (format!("{at}/name"), json!(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"name": "proxy"}, {"name": "cart", "resources": {"limits": {"memory": "1024Mi"}}}]}}}})
    }

    #[test]
    fn the_fields_are_those_of_the_direct_executor() {
        let of = |remediation: &Remediation| forward(remediation, &deployment(), "2023-11-14T22:13:20Z");
        let limit = of(&Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 2 << 30 }).unwrap();
        assert_eq!(limit["/spec/template/spec/containers/1/resources/limits/memory"], "2Gi");
        assert_eq!(limit["/spec/template/spec/containers/1/name"], "cart");
        let same = of(&Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 }).unwrap();
        assert_eq!(same["/spec/template/spec/containers/1/resources/limits/memory"], "1024Mi", "the same amount stays as written");
        assert!(of(&Remediation::SetMemoryLimit { container: "nobody".into(), limit_bytes: 1 }).is_err());
        assert!(of(&Remediation::Scale { replicas: 5, from: 3 }).is_ok());
        assert!(of(&Remediation::Scale { replicas: 2, from: 1 }).is_err(), "meant as more, would be less");
        let restart = of(&Remediation::RolloutRestart).unwrap();
        assert_eq!(restart["/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"], "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(Timestamp(1_700_000_000_999)).unwrap(), "2023-11-14T22:13:20Z");
    }
}
