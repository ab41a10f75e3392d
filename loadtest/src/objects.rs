//! How a service is written down as Kubernetes objects, and how the fields that matter are read back.

use crate::quantity;
use crate::rfc3339;
use crate::store::{ObjectKey, hash_text};
use crate::topology::ServiceSpec;
use picket_core::time::Timestamp;
use serde_json::{Value, json};

/// The annotation by which picket marks what it wrote.
pub const ACTION_ID: &str = "picket.dev/action-id";
/// The annotation of a Deployment or `ReplicaSet` that numbers its revision.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The label that ties pods to their `ReplicaSet`.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// What a Secret carries about its certificate: its end, as RFC 3339.
pub const NOT_AFTER: &str = "picket.dev/certificate-not-after";
/// Asks for a new certificate, as cert-manager understands it.
pub const ISSUE: &str = "cert-manager.io/issue-temporary-certificate";
/// Asks for a new certificate; any change of its value does.
pub const RENEW: &str = "picket.dev/renew-requested";

/// A service's Deployment.
#[must_use]
pub fn deployment_key(spec: &ServiceSpec) -> ObjectKey {
    ObjectKey::new("apps/v1", "Deployment", spec.namespace, spec.name)
}

/// A service's volume claim.
#[must_use]
pub fn claim_key(spec: &ServiceSpec) -> ObjectKey {
    ObjectKey::new("v1", "PersistentVolumeClaim", spec.namespace, &spec.claim())
}

/// A service's certificate.
#[must_use]
pub fn secret_key(spec: &ServiceSpec) -> ObjectKey {
    ObjectKey::new("v1", "Secret", spec.namespace, &spec.secret())
}

fn labels(spec: &ServiceSpec) -> Value {
    json!({
        "app": spec.name,
        "app.kubernetes.io/name": spec.name,
        "picket.dev/tier": spec.tier.to_string(),
        "picket.dev/managed": if spec.managed { "true" } else { "false" },
    })
}

/// Its Deployment at first set-up, with image tag `version`.
#[must_use]
pub fn deployment(spec: &ServiceSpec, version: &str) -> Value {
    let memory = format!("{}Mi", spec.memory_limit_mib);
    let cpu = format!("{}m", (spec.cpu_request() * 1000.0).round());
    // What a pod uses at full load is what it may use: beyond it requests queue. A limit below the request would be refused.
    let cpu_limit = format!("{}m", (spec.full_load_cores.max(spec.cpu_request()) * 1000.0).round());
    let mut pod_spec = json!({
        "containers": [{
            "name": spec.name,
            "image": format!("registry.local/{}:{version}", spec.name),
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu_limit, "memory": memory}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
        }],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
    });
    if spec.volume_gib > 0 {
        pod_spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": spec.claim()}}]);
        pod_spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    }
    if spec.certificate {
        if !pod_spec["volumes"].is_array() {
            pod_spec["volumes"] = json!([]);
        }
        if let Some(volumes) = pod_spec["volumes"].as_array_mut() {
            volumes.push(json!({"name": "tls", "secret": {"secretName": spec.secret()}}));
        }
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": labels(spec), "annotations": {}},
        "spec": {
            "replicas": spec.replicas,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": spec.name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "template": {"metadata": {"labels": labels(spec), "annotations": {}}, "spec": pod_spec},
        },
        "status": {"observedGeneration": 0},
    })
}

/// A namespace.
#[must_use]
pub fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}, "annotations": {}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

/// Its volume claim.
#[must_use]
pub fn claim(spec: &ServiceSpec) -> Value {
    let size = format!("{}Gi", spec.volume_gib);
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": spec.claim(), "namespace": spec.namespace, "labels": labels(spec), "annotations": {}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": "expandable",
            "volumeMode": "Filesystem",
            "volumeName": format!("pv-{}-{}", spec.namespace, spec.claim()),
        },
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}},
    })
}

/// Its certificate's Secret; `certificate_pem` and `key_pem` go in as base64.
#[must_use]
pub fn secret(spec: &ServiceSpec, certificate_base64: &str, key_base64: &str, not_after: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": spec.secret(),
            "namespace": spec.namespace,
            "labels": labels(spec),
            "annotations": {
                "cert-manager.io/certificate-name": spec.name,
                "cert-manager.io/issuer-name": "internal-ca",
                "cert-manager.io/common-name": common_name(spec),
                NOT_AFTER: rfc3339::format(not_after),
            },
        },
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": certificate_base64, "tls.key": key_base64},
    })
}

/// The name in its certificate.
#[must_use]
pub fn common_name(spec: &ServiceSpec) -> String {
    format!("{}.{}.svc", spec.name, spec.namespace)
}

/// What the controllers and the model read from a Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentView {
    /// Wanted replicas.
    pub replicas: u32,
    /// Hash of the pod template: names the `ReplicaSet`.
    pub template_hash: String,
    /// Image of the first container.
    pub image: String,
    /// Memory limit of the first container; `None` when there is none.
    pub memory_limit_bytes: Option<f64>,
    /// Memory request.
    pub memory_request_bytes: f64,
    /// CPU request.
    pub cpu_request: f64,
    /// CPU limit.
    pub cpu_limit: Option<f64>,
    /// `maxUnavailable`, in pods.
    pub max_unavailable: u32,
    /// `maxSurge`, in pods.
    pub max_surge: u32,
}

impl DeploymentView {
    /// Reads it.
    #[must_use]
    pub fn of(deployment: &Value) -> Self {
        let spec = &deployment["spec"];
        let container = &spec["template"]["spec"]["containers"][0];
        let resources = &container["resources"];
        let replicas = spec["replicas"].as_u64().map_or(1, |n| n.min(500) as u32);
        let rolling = &spec["strategy"]["rollingUpdate"];
        let (mut max_unavailable, max_surge) =
            (share(&rolling["maxUnavailable"], replicas, f64::floor), share(&rolling["maxSurge"], replicas, f64::ceil));
        if max_unavailable == 0 && max_surge == 0 {
            max_unavailable = 1;
        }
        let limit = quantity::of_json(resources["limits"].get("memory"));
        Self {
            replicas,
            template_hash: template_hash(&spec["template"]),
            image: container["image"].as_str().unwrap_or_default().to_owned(),
            memory_limit_bytes: limit,
            memory_request_bytes: quantity::of_json(resources["requests"].get("memory")).or(limit).unwrap_or(0.0),
            cpu_request: quantity::of_json(resources["requests"].get("cpu")).unwrap_or(0.0),
            cpu_limit: quantity::of_json(resources["limits"].get("cpu")),
            max_unavailable,
            max_surge,
        }
    }
}

/// A number of pods, or a share like `25%` (the default) rounded by `round`.
fn share(value: &Value, replicas: u32, round: fn(f64) -> f64) -> u32 {
    if let Some(pods) = value.as_u64() {
        return pods.min(500) as u32;
    }
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<f64>().ok()).unwrap_or(25.0);
    round(f64::from(replicas) * percent.clamp(0.0, 100.0) / 100.0) as u32
}

/// Ten letters that stand for a pod template. Equal templates hash equally, however a client orders keys or leaves out what is
/// empty; the label that the controller itself adds to a `ReplicaSet`'s template does not count.
#[must_use]
pub fn template_hash(template: &Value) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = String::new();
    canonical(template, &mut text);
    let mut hash = hash_text(&text);
    (0..10)
        .map(|_| {
            let letter = LETTERS[(hash % 27) as usize];
            hash /= 27;
            char::from(letter)
        })
        .collect()
}

fn canonical(value: &Value, text: &mut String) {
    use std::fmt::Write as _;
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().filter(|key| *key != POD_TEMPLATE_HASH && *key != "creationTimestamp").collect();
            keys.sort_unstable();
            text.push('{');
            for key in keys {
                let mut inner = String::new();
                canonical(&map[key], &mut inner);
                if !matches!(inner.as_str(), "{}" | "[]" | "null") {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{key}={inner};");
                }
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// The tag of an image.
#[must_use]
pub fn version_of(image: &str) -> &str {
    image.rsplit_once(':').map_or("", |(_, tag)| tag)
}

/// An annotation's value.
#[must_use]
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"].get(name)?.as_str()
}
