//! One service or group with one act, behind the front door.

use crate::front::Front;
use crate::gate::TestClock;
use crate::moto::Moto;
use picket_clouds::{AwsCredentialsFrom, AwsEndpoints, AwsSettings, Clock as _, CloudExecutor, CloudSettings, CloudTarget, SystemClock};
use picket_core::action::{Action, Remediation};
use picket_core::ids::ServiceId;
use picket_core::proposal::Work;
use picket_executor_conformance::Sink;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer than any signature lives.
pub const PATIENT: u64 = 7200;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    EcsScale,
    EcsRestart,
    AsgScale,
    AsgRestart,
}

pub const KINDS: [Kind; 4] = [Kind::EcsScale, Kind::EcsRestart, Kind::AsgScale, Kind::AsgRestart];

/// A moto with a front door, for worlds that do not touch each other.
pub struct Cloud {
    pub moto: Moto,
    pub front: Arc<Front>,
    pub clock: TestClock,
    keys: tempfile::TempDir,
    made: AtomicU64,
}

impl Cloud {
    pub async fn start() -> Self {
        let clock = TestClock::at(SystemClock.now_s());
        let moto = Moto::start().await;
        let front = Front::start(&moto, clock.clone()).await;
        moto.ecs("CreateCluster", &json!({"clusterName": "shop"})).await;
        let container = json!({"name": "c", "image": "registry.local/cart:1", "memory": 64});
        moto.ecs("RegisterTaskDefinition", &json!({"family": "cart", "containerDefinitions": [container]})).await;
        let launch = [("LaunchConfigurationName", "lc"), ("ImageId", "ami-12c6146b"), ("InstanceType", "t2.micro")];
        moto.autoscaling("CreateLaunchConfiguration", &launch).await;
        let keys = tempfile::tempdir().unwrap();
        std::fs::write(keys.path().join("credentials"), "[default]\naws_access_key_id = AKID\naws_secret_access_key = hush\n").unwrap();
        Self { moto, front, clock, keys, made: AtomicU64::new(0) }
    }

    pub async fn world(&self, kind: Kind) -> World<'_> {
        let name = format!("svc-{}", self.made.fetch_add(1, Ordering::SeqCst));
        match kind {
            Kind::EcsScale | Kind::EcsRestart => {
                let service = json!({"cluster": "shop", "serviceName": name, "taskDefinition": "cart:1", "desiredCount": 3});
                self.moto.ecs("CreateService", &service).await;
            }
            Kind::AsgScale | Kind::AsgRestart => {
                let parameters = [
                    ("AutoScalingGroupName", name.as_str()),
                    ("LaunchConfigurationName", "lc"),
                    ("MinSize", "1"),
                    ("MaxSize", "10"),
                    ("DesiredCapacity", "3"),
                    ("AvailabilityZones.member.1", "eu-west-1a"),
                ];
                self.moto.autoscaling("CreateAutoScalingGroup", &parameters).await;
            }
        }
        World { cloud: self, kind, name, theirs: AtomicU64::new(0) }
    }

    pub fn credentials(&self) -> AwsCredentialsFrom {
        AwsCredentialsFrom::File { path: self.keys.path().join("credentials"), profile: "default".into() }
    }
}

pub struct World<'a> {
    pub cloud: &'a Cloud,
    pub kind: Kind,
    pub name: String,
    theirs: AtomicU64,
}

impl World<'_> {
    pub fn settings(&self) -> CloudSettings {
        let target = match self.kind {
            Kind::EcsScale | Kind::EcsRestart => {
                CloudTarget::Ecs { region: "eu-west-1".into(), cluster: "shop".into(), service: self.name.clone() }
            }
            Kind::AsgScale | Kind::AsgRestart => CloudTarget::Asg { region: "eu-west-1".into(), group: self.name.clone() },
        };
        let url = Some(self.cloud.front.url.clone());
        let endpoints = AwsEndpoints { ecs: url.clone(), autoscaling: url.clone(), sts: url, instance_metadata: None };
        CloudSettings {
            targets: [(format!("shop/{}", self.name), target)].into(),
            aws: AwsSettings { credentials: self.cloud.credentials(), patience_s: PATIENT, endpoints, ..AwsSettings::default() },
            timeout_ms: 8000,
            write_timeout_ms: 30_000,
            ..CloudSettings::default()
        }
    }

    pub fn executor_with(&self, settings: &CloudSettings) -> CloudExecutor {
        CloudExecutor::with_clock(&"east".into(), settings, Arc::new(self.cloud.clock.clone())).unwrap()
    }

    /// One that does not wait for signatures to expire.
    pub fn hasty(&self) -> CloudExecutor {
        let mut settings = self.settings();
        settings.aws.patience_s = 0;
        self.executor_with(&settings)
    }

    /// One whose calls give up soon.
    pub fn impatient(&self) -> CloudExecutor {
        let mut settings = self.settings();
        (settings.timeout_ms, settings.write_timeout_ms) = (1500, 9000);
        self.executor_with(&settings)
    }

    pub fn work(&self, remediation: Remediation) -> Work {
        Work::Do { action: Action { service: ServiceId::new("east", "shop", &self.name), remediation } }
    }

    async fn service(&self) -> Value {
        let asked = json!({"cluster": "shop", "services": [self.name], "include": ["TAGS"]});
        self.cloud.moto.ecs("DescribeServices", &asked).await["services"][0].clone()
    }

    async fn group(&self) -> String {
        self.cloud.moto.autoscaling("DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", &self.name)]).await
    }

    /// A tag as it stands.
    pub async fn tag(&self, key: &str) -> Option<String> {
        match self.kind {
            Kind::EcsScale | Kind::EcsRestart => {
                let service = self.service().await;
                let tag = service["tags"].as_array()?.iter().find(|tag| tag["key"] == key)?;
                Some(tag["value"].as_str()?.to_owned())
            }
            Kind::AsgScale | Kind::AsgRestart => {
                let group = self.group().await;
                let (_, rest) = group.split_once(&format!("<Key>{key}</Key><Value>"))?;
                Some(rest.split_once("</Value>")?.0.to_owned())
            }
        }
    }

    /// Somebody else sets a size.
    pub async fn resize(&self, size: u32) {
        self.theirs.fetch_add(1, Ordering::SeqCst);
        match self.kind {
            Kind::EcsScale | Kind::EcsRestart => {
                self.cloud.moto.ecs("UpdateService", &json!({"cluster": "shop", "service": self.name, "desiredCount": size})).await;
            }
            Kind::AsgScale | Kind::AsgRestart => {
                let size = size.to_string();
                let parameters = [("AutoScalingGroupName", self.name.as_str()), ("DesiredCapacity", size.as_str())];
                self.cloud.moto.autoscaling("SetDesiredCapacity", &parameters).await;
            }
        }
    }
}

impl Sink for World<'_> {
    type Executor = CloudExecutor;

    const COMPARES_AND_SETS: bool = false;

    fn executor(&self) -> CloudExecutor {
        self.executor_with(&self.settings())
    }

    fn act(&self) -> Work {
        self.work(match self.kind {
            Kind::EcsScale | Kind::AsgScale => Remediation::Scale { replicas: 5, from: 3 },
            Kind::EcsRestart | Kind::AsgRestart => Remediation::RolloutRestart,
        })
    }

    async fn stands(&self) -> Value {
        match self.kind {
            Kind::EcsScale => self.service().await["desiredCount"].clone(),
            Kind::EcsRestart => self.service().await["deployments"][0]["id"].clone(),
            Kind::AsgScale => {
                let group = self.group().await;
                let (_, rest) = group.split_once("<DesiredCapacity>").unwrap();
                json!(rest.split_once('<').unwrap().0.parse::<u32>().unwrap())
            }
            Kind::AsgRestart => json!(self.cloud.front.newest_refresh(&self.name)),
        }
    }

    async fn changes(&self) -> u64 {
        self.cloud.front.effects(&self.name) + self.theirs.load(Ordering::SeqCst)
    }

    async fn somebody_else_changes_it(&self) {
        match self.kind {
            Kind::EcsScale | Kind::AsgScale => self.resize(4).await,
            Kind::EcsRestart => {
                self.theirs.fetch_add(1, Ordering::SeqCst);
                let again = json!({"cluster": "shop", "service": self.name, "forceNewDeployment": true});
                self.cloud.moto.ecs("UpdateService", &again).await;
            }
            Kind::AsgRestart => {
                self.theirs.fetch_add(1, Ordering::SeqCst);
                self.cloud.front.refresh(&self.name, "Successful").unwrap();
            }
        }
    }
}
