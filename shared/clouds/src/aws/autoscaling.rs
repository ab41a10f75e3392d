//! EC2 Auto Scaling groups (public document: Amazon EC2 Auto Scaling API reference, 2011-01-01).

use super::api::{Api, Moment, Reply};
use super::error::Failure;
use super::reading::Reading;
use super::stamp::Stamp;
use super::xml;
use crate::error::words;
use crate::plan::Change;
use crate::snapshot::Snapshot;
use picket_core::ports::PortError;
use roxmltree::Node;

/// Newest first; more are not looked at.
const REFRESHES: &str = "20";
/// States of an instance refresh that is over. All others are at work.
const OVER: [&str; 5] = ["Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"];
/// Tags by which other services of AWS say that a group is theirs.
const OTHERS: [&str; 3] = ["eks:nodegroup-name", "AmazonECSManaged", "elasticbeanstalk:environment-id"];

pub(super) async fn read(api: &Api, region: &str, group: &str, moment: Moment) -> Result<Reply<Option<Reading>>, Failure> {
    let named = [("AutoScalingGroupNames.member.1", group)];
    let groups = api.autoscaling(region, "DescribeAutoScalingGroups", &named, moment).await?;
    let damaged = |why: String| Failure::Here(PortError::Damaged { what: format!("what Auto Scaling says of {group}"), why });
    let reading = group_of(&groups.body, group).map_err(damaged)?;
    let Some(mut reading) = reading else { return Ok(Reply { seen_s: groups.seen_s, body: None }) };
    let asked = [("AutoScalingGroupName", group), ("MaxRecords", REFRESHES)];
    let refreshes = api.autoscaling(region, "DescribeInstanceRefreshes", &asked, moment).await?;
    let (newest, moving) = newest_refresh(&refreshes.body).map_err(damaged)?;
    reading.snapshot.rollout = newest;
    reading.snapshot.busy = moving.then(|| "an instance refresh is in progress".to_owned());
    // The earlier of the two times: what was seen stood by then.
    Ok(Reply { seen_s: groups.seen_s.min(refreshes.seen_s), body: Some(reading) })
}

fn group_of(body: &str, name: &str) -> Result<Option<Reading>, String> {
    let document = xml::document(body)?;
    let result = xml::anywhere(&document, "DescribeAutoScalingGroupsResult").ok_or("it is no list of groups")?;
    let mut groups = xml::members(result, "AutoScalingGroups");
    let Some(group) = groups.find(|group| xml::text(*group, "AutoScalingGroupName") == Some(name)) else { return Ok(None) };
    let number = |what: &str| xml::number(group, what).ok_or_else(|| format!("it names no {what}"));
    let tags: Vec<_> =
        xml::members(group, "Tags").filter_map(|tag| Some((xml::text(tag, "Key")?, xml::text(tag, "Value").unwrap_or_default()))).collect();
    let stamp = Stamp::of(tags.iter().copied());
    let snapshot = Snapshot {
        id: name.to_owned(),
        size: number("DesiredCapacity")?,
        running: Some(in_service(group)),
        size_min: Some(number("MinSize")?),
        size_max: Some(number("MaxSize")?),
        rollout: None,
        template: template(group),
        size_is_held: suspended(group),
        restart_is_held: None,
        hands_off: hands_off(group, &tags, &stamp),
        busy: None,
        action_id: stamp.action_id,
        token: stamp.token,
    };
    Ok(Some(Reading { snapshot, fence: stamp.fence, seen: stamp.seen }))
}

fn hands_off(group: Node<'_, '_>, tags: &[(&str, &str)], stamp: &Stamp) -> Option<String> {
    if stamp.hands_off {
        return Some(format!("it is tagged {}=false", super::stamp::MANAGED));
    }
    if let Some((key, _)) = tags.iter().find(|(key, _)| OTHERS.contains(key)) {
        return Some(format!("it belongs to another service of AWS (tag {key})"));
    }
    // Set only while the group is being deleted.
    xml::text(group, "Status").filter(|status| !status.is_empty()).map(|status| format!("its status is {}", words(status)))
}

/// A group that may not launch or terminate does not follow its size.
fn suspended(group: Node<'_, '_>) -> Option<String> {
    let mut names = xml::members(group, "SuspendedProcesses").filter_map(|process| xml::text(process, "ProcessName"));
    names.find(|name| matches!(*name, "Launch" | "Terminate")).map(|name| format!("its process {name} is suspended"))
}

fn template(group: Node<'_, '_>) -> Option<String> {
    let launch = xml::child(group, "LaunchTemplate").or_else(|| {
        let policy = xml::child(group, "MixedInstancesPolicy")?;
        xml::child(xml::child(policy, "LaunchTemplate")?, "LaunchTemplateSpecification")
    });
    match launch {
        Some(launch) => {
            let part = |name| xml::text(launch, name).unwrap_or_default();
            Some(format!("{}@{}", part("LaunchTemplateId"), part("Version")))
        }
        None => xml::text(group, "LaunchConfigurationName").map(str::to_owned),
    }
}

/// The newest refresh's id, and whether any is at work. One that has not started yet is the newest.
fn newest_refresh(body: &str) -> Result<(Option<String>, bool), String> {
    let document = xml::document(body)?;
    let result = xml::anywhere(&document, "DescribeInstanceRefreshesResult").ok_or("it is no list of refreshes")?;
    let mut all = Vec::new();
    let mut moving = false;
    for refresh in xml::members(result, "InstanceRefreshes") {
        let id = xml::text(refresh, "InstanceRefreshId").ok_or("a refresh has no id")?;
        moving |= !xml::text(refresh, "Status").is_some_and(|status| OVER.contains(&status));
        let started = xml::text(refresh, "StartTime").and_then(|at| at.parse::<jiff::Timestamp>().ok());
        all.push((started.unwrap_or(jiff::Timestamp::MAX), id));
    }
    // Of equal times AWS's order counts: newest first.
    let newest = all.iter().rev().max_by_key(|(started, _)| *started);
    Ok((newest.map(|(_, id)| (*id).to_owned()), moving))
}

pub(super) async fn tag(api: &Api, region: &str, group: &str, tags: &[(&'static str, String)], moment: Moment) -> Result<(), Failure> {
    let mut parameters = Vec::new();
    for (i, (key, value)) in tags.iter().enumerate() {
        let mut put = |field: &str, value: &str| parameters.push((format!("Tags.member.{}.{field}", i + 1), value.to_owned()));
        put("ResourceId", group);
        put("ResourceType", "auto-scaling-group");
        put("Key", key);
        put("Value", value);
        // The group's own, not its instances'.
        put("PropagateAtLaunch", "false");
    }
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    api.autoscaling(region, "CreateOrUpdateTags", &parameters, moment).await.map(drop)
}

pub(super) async fn change(
    api: &Api,
    region: &str,
    group: &str,
    change: Change,
    min_healthy_percentage: u8,
    moment: Moment,
) -> Result<Option<String>, Failure> {
    let named = ("AutoScalingGroupName", group);
    match change {
        Change::Size(size) => {
            let size = size.to_string();
            let parameters = [named, ("DesiredCapacity", &size), ("HonorCooldown", "false")];
            api.autoscaling(region, "SetDesiredCapacity", &parameters, moment).await.map(|_| None)
        }
        Change::Restart => {
            let healthy = min_healthy_percentage.to_string();
            let parameters = [
                named,
                ("Strategy", "Rolling"),
                ("Preferences.MinHealthyPercentage", &healthy),
                // With it a refresh passes over every instance of the present template: all of them.
                ("Preferences.SkipMatching", "false"),
                // Taking back is picket's, by permit.
                ("Preferences.AutoRollback", "false"),
            ];
            let reply = api.autoscaling(region, "StartInstanceRefresh", &parameters, moment).await?;
            let id = xml::document(&reply.body).ok().and_then(|document| {
                let result = xml::anywhere(&document, "StartInstanceRefreshResult")?;
                xml::text(result, "InstanceRefreshId").map(str::to_owned)
            });
            let unknown = || Failure::Unanswered(crate::http::Unanswered::Unknown("the refresh has no id".to_owned()));
            id.map(Some).ok_or_else(unknown)
        }
    }
}

/// Instances that serve and are well.
fn in_service(group: Node<'_, '_>) -> u32 {
    let serves = |instance: &Node<'_, '_>| {
        xml::text(*instance, "LifecycleState") == Some("InService") && xml::text(*instance, "HealthStatus") == Some("Healthy")
    };
    xml::members(group, "Instances").filter(serves).count().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "<DescribeAutoScalingGroupsResponse xmlns='http://autoscaling.amazonaws.com/doc/2011-01-01/'>\
        <DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>web</AutoScalingGroupName><MinSize>1</MinSize>\
        <MaxSize>10</MaxSize><DesiredCapacity>3</DesiredCapacity>MORE</member></AutoScalingGroups></DescribeAutoScalingGroupsResult>\
        </DescribeAutoScalingGroupsResponse>";

    fn group(more: &str) -> Snapshot {
        group_of(&GROUP.replace("MORE", more), "web").unwrap().unwrap().snapshot
    }

    #[test]
    fn a_group_is_read_whole() {
        let read = group("<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>4</Version></LaunchTemplate>");
        assert_eq!((read.size, read.size_min, read.size_max), (3, Some(1), Some(10)));
        assert_eq!(read.template.as_deref(), Some("lt-1@4"));
        assert_eq!(read.running, Some(0), "it names no instance");
        let instance = |state: &str, health: &str| {
            format!("<member><LifecycleState>{state}</LifecycleState><HealthStatus>{health}</HealthStatus></member>")
        };
        let instances = [instance("InService", "Healthy"), instance("InService", "Unhealthy"), instance("Pending", "Healthy")].concat();
        assert_eq!(group(&format!("<Instances>{instances}</Instances>")).running, Some(1));
        assert_eq!((read.hands_off, read.size_is_held), (None, None));
        assert_eq!(group_of(&GROUP.replace("MORE", ""), "other"), Ok(None));
        assert!(group_of("<a/>", "web").is_err());
    }

    #[test]
    fn what_others_hold_is_left_to_them() {
        let tag = |key: &str, value: &str| format!("<Tags><member><Key>{key}</Key><Value>{value}</Value></member></Tags>");
        assert!(group(&tag("eks:nodegroup-name", "apps")).hands_off.is_some());
        assert!(group(&tag("picket.dev/managed", "false")).hands_off.is_some());
        assert!(group("<Status>Delete in progress</Status>").hands_off.is_some());
        let suspended = "<SuspendedProcesses><member><ProcessName>Launch</ProcessName></member></SuspendedProcesses>";
        assert!(group(suspended).size_is_held.is_some());
    }

    #[test]
    fn the_newest_refresh_counts() {
        let list = |members: &str| {
            format!(
                "<R><DescribeInstanceRefreshesResult><InstanceRefreshes>{members}</InstanceRefreshes></DescribeInstanceRefreshesResult></R>"
            )
        };
        let member = |id: &str, status: &str, start: &str| {
            format!("<member><InstanceRefreshId>{id}</InstanceRefreshId><Status>{status}</Status>{start}</member>")
        };
        let at = |time: &str| format!("<StartTime>{time}</StartTime>");
        assert_eq!(newest_refresh(&list("")), Ok((None, false)));
        let two = [member("a", "Successful", &at("2026-01-01T00:00:00Z")), member("b", "Failed", &at("2026-01-02T00:00:00Z"))].concat();
        assert_eq!(newest_refresh(&list(&two)), Ok((Some("b".into()), false)));
        let pending = format!("{two}{}", member("c", "Pending", ""));
        assert_eq!(newest_refresh(&list(&pending)), Ok((Some("c".into()), true)));
        let equal =
            [member("x", "Successful", &at("2026-01-01T00:00:00Z")), member("y", "Successful", &at("2026-01-01T00:00:00Z"))].concat();
        assert_eq!(newest_refresh(&list(&equal)), Ok((Some("x".into()), false)));
    }
}
