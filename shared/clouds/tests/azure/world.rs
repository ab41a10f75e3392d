//! One agent pool or scale set with one act.

use crate::arm::{Arm, size};
use crate::gate::TestClock;
use picket_clouds::{AzureCredentialsFrom, AzureEndpoints, AzureSettings, CloudExecutor, CloudSettings, CloudTarget};
use picket_core::action::{Action, Remediation};
use picket_core::ids::ServiceId;
use picket_core::proposal::Work;
use picket_executor_conformance::Sink;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    AksPool,
    Vmss,
}

pub const KINDS: [Kind; 2] = [Kind::AksPool, Kind::Vmss];

pub struct World {
    pub arm: Arc<Arm>,
    pub kind: Kind,
    pub clock: TestClock,
    pub secrets: tempfile::TempDir,
    theirs: AtomicU64,
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        std::fs::write(secrets.path().join("token"), "hush\n").unwrap();
        let world = Self { arm: Arm::start().await, kind, clock: TestClock::at(1_800_000_000), secrets, theirs: AtomicU64::new(0) };
        let body = match kind {
            Kind::AksPool => {
                json!({"id": world.path(), "name": "apps", "properties": {"count": 3, "vmSize": "Standard_D4s_v5", "mode": "User",
                "type": "VirtualMachineScaleSets", "enableAutoScaling": false, "provisioningState": "Succeeded",
                "powerState": {"code": "Running"}, "tags": {"owner": "shop"}}})
            }
            Kind::Vmss => json!({"id": world.path(), "name": "batch", "location": "westeurope", "tags": {"owner": "shop"},
                "sku": {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": 3}, "properties": {"provisioningState": "Succeeded"}}),
        };
        world.arm.put(&world.path(), body);
        world
    }

    pub fn path(&self) -> String {
        let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers");
        match self.kind {
            Kind::AksPool => format!("{group}/Microsoft.ContainerService/managedClusters/east/agentPools/apps"),
            Kind::Vmss => format!("{group}/Microsoft.Compute/virtualMachineScaleSets/batch"),
        }
    }

    pub fn settings(&self) -> CloudSettings {
        let (subscription, resource_group) = (SUBSCRIPTION.to_owned(), "shop".to_owned());
        let target = match self.kind {
            Kind::AksPool => CloudTarget::AksPool { subscription, resource_group, cluster: "east".into(), pool: "apps".into() },
            Kind::Vmss => CloudTarget::Vmss { subscription, resource_group, name: "batch".into() },
        };
        let token_file = self.secrets.path().join("token");
        let credentials = AzureCredentialsFrom::WorkloadIdentity { tenant: "tenant".into(), client: "client".into(), token_file };
        let url = self.arm.url.clone();
        let endpoints = AzureEndpoints { management: url.clone(), login: url.clone(), instance_metadata: url };
        CloudSettings {
            targets: [("shop/cart".to_owned(), target)].into(),
            azure: AzureSettings { credentials, endpoints },
            timeout_ms: 5000,
            write_timeout_ms: 20_000,
            ..CloudSettings::default()
        }
    }

    pub fn executor_with(&self, settings: &CloudSettings) -> CloudExecutor {
        CloudExecutor::with_clock(&"east".into(), settings, Arc::new(self.clock.clone())).unwrap()
    }

    pub fn work(&self, remediation: Remediation) -> Work {
        Work::Do { action: Action { service: ServiceId::new("east", "shop", "cart"), remediation } }
    }

    pub fn tags(&self) -> Value {
        let resource = self.arm.read(&self.path());
        resource["tags"].as_object().map_or_else(|| resource["properties"]["tags"].clone(), |tags| json!(tags))
    }

    pub fn resize(&self, to: u32) {
        self.theirs.fetch_add(1, Ordering::SeqCst);
        let pointer = if self.kind == Kind::AksPool { "/properties/count" } else { "/sku/capacity" };
        self.arm.change(&self.path(), |resource| *resource.pointer_mut(pointer).unwrap() = json!(to));
    }
}

impl Sink for World {
    type Executor = CloudExecutor;

    fn executor(&self) -> CloudExecutor {
        self.executor_with(&self.settings())
    }

    fn act(&self) -> Work {
        self.work(Remediation::Scale { replicas: 5, from: 3 })
    }

    async fn stands(&self) -> Value {
        json!(size(&self.arm.read(&self.path())))
    }

    async fn changes(&self) -> u64 {
        self.arm.changes(&self.path()) + self.theirs.load(Ordering::SeqCst)
    }

    async fn somebody_else_changes_it(&self) {
        self.resize(4);
    }
}
