//! Attributes of services and pods, named as collectors name them.

use crate::cluster::pod::Pod;
use crate::cluster::service::ServiceState;
use crate::objects::version_of;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;

pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }), ..KeyValue::default() }
}

pub(super) fn number(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..KeyValue::default() }
}

pub(super) fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "shop-simulator".to_owned(), version: "1".to_owned(), ..InstrumentationScope::default() })
}

pub(super) fn of_service(service: &ServiceState) -> Vec<KeyValue> {
    vec![
        text("service.name", service.spec.name),
        text("k8s.namespace.name", service.spec.namespace),
        text("k8s.deployment.name", service.spec.name),
    ]
}

pub(super) fn of_pod(service: &ServiceState, pod: &Pod) -> Vec<KeyValue> {
    let mut attributes = of_service(service);
    attributes.extend([
        text("k8s.pod.name", pod.name.clone()),
        text("k8s.node.name", pod.node),
        text("k8s.container.name", service.spec.name),
        text("service.version", version_of(&pod.image)),
    ]);
    attributes
}

pub(super) fn resource(attributes: Vec<KeyValue>) -> Option<Resource> {
    Some(Resource { attributes, ..Resource::default() })
}
