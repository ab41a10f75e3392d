//! Services of Elastic Container Service (public document: Amazon ECS API reference, 2014-11-13).

use super::api::{Api, Moment, Reply};
use super::error::Failure;
use super::reading::Reading;
use super::stamp::Stamp;
use crate::error::words;
use crate::plan::Change;
use crate::snapshot::Snapshot;
use picket_core::ports::PortError;
use serde_json::{Value, json};

pub(super) async fn read(api: &Api, region: &str, cluster: &str, service: &str, moment: Moment) -> Result<Reply<Option<Reading>>, Failure> {
    let body = json!({"cluster": cluster, "services": [service], "include": ["TAGS"]});
    let reply = api.ecs(region, "DescribeServices", &body, moment).await?;
    let found = reply.body["services"].as_array().and_then(|services| services.first());
    let reading = match found.filter(|service| service["status"] != "INACTIVE") {
        Some(found) => Some(reading(found).map_err(|why| Failure::Here(damaged(service, &why)))?),
        None => None,
    };
    Ok(Reply { seen_s: reply.seen_s, body: reading })
}

fn damaged(service: &str, why: &str) -> PortError {
    PortError::Damaged { what: format!("what ECS says of {service}"), why: why.to_owned() }
}

fn reading(service: &Value) -> Result<Reading, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let size = service["desiredCount"].as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("it names no desiredCount")?;
    let tags = service["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stamp = Stamp::of(tags.iter().filter_map(|tag| Some((tag["key"].as_str()?, tag["value"].as_str()?))));
    let deployments = service["deployments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let primary = deployments.iter().find(|deployment| deployment["status"] == "PRIMARY");
    let moving = deployments.len() > 1 || primary.is_some_and(|deployment| deployment["rolloutState"] == "IN_PROGRESS");
    let status = service["status"].as_str().unwrap_or_default();
    let controller = service.pointer("/deploymentController/type").and_then(Value::as_str).unwrap_or("ECS");
    let hands_off = if stamp.hands_off {
        Some(format!("it is tagged {}=false", super::stamp::MANAGED))
    } else if status != "ACTIVE" {
        Some(format!("it is {}", words(status)))
    } else if controller != "ECS" {
        Some(format!("its deployments are made by {}", words(controller)))
    } else {
        None
    };
    let daemon = service["schedulingStrategy"] == "DAEMON";
    let snapshot = Snapshot {
        id: text(&service["serviceArn"]).ok_or("it names no serviceArn")?,
        size,
        running: service["runningCount"].as_u64().and_then(|n| u32::try_from(n).ok()),
        size_min: None,
        size_max: None,
        rollout: primary.and_then(|deployment| text(&deployment["id"])),
        template: text(&service["taskDefinition"]),
        size_is_held: daemon.then(|| "it runs one task on every instance (DAEMON)".to_owned()),
        restart_is_held: steep(service, size),
        hands_off,
        busy: moving.then(|| "a deployment is in progress".to_owned()),
        action_id: stamp.action_id,
        token: stamp.token,
    };
    Ok(Reading { snapshot, fence: stamp.fence, seen: stamp.seen })
}

/// A quarter of the instances is reserved for a restart; the service's own rule may take down more.
fn steep(service: &Value, size: u32) -> Option<String> {
    let healthy = service.pointer("/deploymentConfiguration/minimumHealthyPercent").and_then(Value::as_u64)?.min(100);
    let up = (u64::from(size) * healthy).div_ceil(100);
    let down = u64::from(size).saturating_sub(up);
    let reserved = u64::from(size.div_ceil(4).max(1));
    (down > reserved).then(|| {
        format!("its minimumHealthyPercent of {healthy} would take down {down} of {size} tasks at the same time, and {reserved} are reserved for a restart")
    })
}

pub(super) async fn tag(api: &Api, region: &str, arn: &str, tags: &[(&'static str, String)], moment: Moment) -> Result<(), Failure> {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    api.ecs(region, "TagResource", &json!({"resourceArn": arn, "tags": tags}), moment).await.map(drop)
}

pub(super) async fn change(
    api: &Api,
    region: &str,
    cluster: &str,
    service: &str,
    change: Change,
    moment: Moment,
) -> Result<Option<String>, Failure> {
    let mut body = json!({"cluster": cluster, "service": service});
    match change {
        Change::Size(size) => body["desiredCount"] = json!(size),
        Change::Restart => body["forceNewDeployment"] = json!(true),
    }
    let reply = api.ecs(region, "UpdateService", &body, moment).await?;
    let deployments = reply.body.pointer("/service/deployments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let primary = deployments.iter().find(|deployment| deployment["status"] == "PRIMARY");
    Ok(primary.and_then(|deployment| deployment["id"].as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Value {
        json!({"serviceArn": "arn:aws:ecs:r:1:service/shop/cart", "status": "ACTIVE", "desiredCount": 3, "taskDefinition": "cart:1",
            "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}, "tags": [{"key": "picket.dev/fence", "value": "9"}],
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED"}]})
    }

    #[test]
    fn a_quiet_service_is_free_for_an_act() {
        let reading = reading(&service()).unwrap();
        assert_eq!((reading.snapshot.size, reading.snapshot.rollout.as_deref()), (3, Some("ecs-svc/1")));
        assert_eq!((reading.snapshot.busy, reading.snapshot.hands_off), (None, None));
        assert_eq!(reading.fence, Some(picket_core::scope::FencingToken(9)));
    }

    #[test]
    fn what_others_are_at_is_seen() {
        let with = |pointer: &str, value: Value| {
            let mut service = service();
            *service.pointer_mut(pointer).unwrap() = value;
            reading(&service).unwrap().snapshot
        };
        assert!(with("/deployments/0/rolloutState", json!("IN_PROGRESS")).busy.is_some());
        assert!(with("/deployments", json!([{"status": "PRIMARY"}, {"status": "ACTIVE"}])).busy.is_some());
        assert!(with("/deploymentController/type", json!("CODE_DEPLOY")).hands_off.is_some());
        assert!(with("/status", json!("DRAINING")).hands_off.is_some());
        assert!(with("/tags", json!([{"key": "picket.dev/managed", "value": "false"}])).hands_off.is_some());
        assert!(with("/schedulingStrategy", json!("DAEMON")).size_is_held.is_some());
        assert!(reading(&json!({"serviceArn": "a"})).is_err());
    }

    #[test]
    fn a_restart_takes_down_a_quarter_at_most() {
        let service = |healthy: u64| json!({"deploymentConfiguration": {"minimumHealthyPercent": healthy}});
        for (healthy, size, fits) in
            [(100, 8, true), (75, 8, true), (74, 8, true), (50, 8, false), (0, 1, true), (0, 2, false), (200, 3, true)]
        {
            assert_eq!(steep(&service(healthy), size).is_none(), fits, "{healthy} % of {size}");
        }
        assert_eq!(steep(&json!({}), 3), None, "AWS's own default is 100 %");
    }
}
