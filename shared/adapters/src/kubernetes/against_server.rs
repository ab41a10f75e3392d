//! The conformance suite, and what only a server shows, on the API server of a simulated cluster.

use super::conformance::{self, World};
use super::objects::{Kind, Mode, Objects as _};
use super::{ApiObjects, ClusterAccess, KubernetesExecutor, KubernetesReader, client, client_from_router};
use picket_core::action::{Action, Remediation};
use picket_core::ids::ServiceId;
use picket_core::outcome::ObjectRef;
use picket_core::ports::{ClusterReader as _, PortError, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use picket_loadtest::SimCluster;
use picket_loadtest::kubernetes_api::{ApiTokens, router};
use picket_loadtest::parameters::SimParameters;
use picket_loadtest::store::ObjectKey;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const START: Timestamp = Timestamp(1_700_000_000_000);
const TIMEOUT_MS: u64 = 2000;

fn tokens() -> ApiTokens {
    ApiTokens { read: "reads".into(), write: "writes".into() }
}

type Listen = Arc<dyn Fn(axum::Router) -> axum::Router + Send + Sync>;

pub(super) struct Simulated {
    cluster: Arc<Mutex<SimCluster>>,
    listen: Option<Listen>,
}

impl Simulated {
    fn new() -> Self {
        Self { cluster: Arc::new(Mutex::new(SimCluster::new("east", 1, START, SimParameters::default()))), listen: None }
    }

    /// With something between its clients and its API.
    pub fn heard_by(self, listen: impl Fn(axum::Router) -> axum::Router + Send + Sync + 'static) -> Self {
        Self { listen: Some(Arc::new(listen)), ..self }
    }

    /// Without the simulated services, so that the suite's objects stand alone.
    pub fn empty() -> Self {
        let made = Self::new();
        {
            let store = &mut made.cluster.lock().unwrap().store;
            for kind in Kind::ALL {
                for object in store.list(&kind.api_version(), kind.as_str(), None) {
                    store.delete(&ObjectKey::of(&object).unwrap(), None).unwrap();
                }
            }
        }
        made
    }

    pub fn objects(&self, token: &str) -> ApiObjects {
        let api = router(self.cluster.clone(), tokens());
        let api = match &self.listen {
            Some(listen) => listen(api),
            None => api,
        };
        ApiObjects::new(client_from_router(api, token), TIMEOUT_MS)
    }
}

impl World for Simulated {
    type Objects = ApiObjects;

    fn objects(&self) -> ApiObjects {
        self.objects("writes")
    }

    fn put_as_somebody_else(&self, mut object: Value) {
        let store = &mut self.cluster.lock().unwrap().store;
        if store.get(&ObjectKey::of(&object).unwrap()).is_some() {
            object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
            store.replace(object).unwrap();
        } else {
            store.create(object).unwrap();
        }
    }

    fn read(&self, at: &ObjectRef) -> Option<Value> {
        let api_version = Kind::of(&at.kind).unwrap().api_version();
        let key = ObjectKey::new(&api_version, &at.kind, &at.namespace, &at.name);
        self.cluster.lock().unwrap().store.get(&key).map(|object| (**object).clone())
    }
}

#[tokio::test]
async fn conforms() {
    conformance::all(|| async { Simulated::empty() }).await;
}

#[tokio::test]
async fn read_credentials_prepare_nothing_and_write_nothing() {
    let world = Simulated::new();
    let service = first_service(&world).await;
    let work = Work::Do { action: Action { service: service.clone(), remediation: Remediation::RolloutRestart } };
    let answer = KubernetesExecutor::new(world.objects("reads")).prepare(&work).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("cannot get")), "{answer:?}");
    let at = Kind::Deployment.named(&service.namespace, &service.name);
    let answer = world.objects("reads").patch(&at, &json!({"spec": {"replicas": 1}}), Mode::Commit).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
    let answer = world.objects("nobody's").get(&at).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
}

async fn first_service(world: &Simulated) -> ServiceId {
    let services = KubernetesReader::new("east".into(), world.objects("reads")).read(&Default::default()).await.unwrap();
    services.into_iter().find(|(_, facts, _)| !facts.protected).unwrap().0
}

#[tokio::test]
async fn the_reader_sees_a_healthy_cluster_whole() {
    let world = Simulated::new();
    let services = KubernetesReader::new("east".into(), world.objects("reads")).read(&Default::default()).await.unwrap();
    assert!(services.len() > 5);
    for (service, facts, readings) in &services {
        assert_eq!((facts.ready, facts.total), (facts.desired, facts.desired), "{service}: {facts:?}");
        assert!(facts.desired > 0 && !facts.foreign_rollout && facts.disrupted_by_others == 0, "{service}: {facts:?}");
        assert!((1..=3).contains(&facts.tier));
        assert_eq!(readings.container.as_deref(), Some(service.name.as_str()));
        assert_eq!(readings.replicas_desired, Some(facts.desired));
        assert!(readings.memory_limit_bytes.is_some() && readings.cpu_request_cores.is_some(), "{service}: {readings:?}");
    }
}

#[tokio::test]
async fn a_real_connection_carries_the_token() {
    let world = Simulated::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, router(world.cluster.clone(), tokens())).into_future());
    let access = ClusterAccess { url, token: "reads".into(), ca_pem: None };
    let objects = ApiObjects::new(client(&access).unwrap(), TIMEOUT_MS);
    assert!(!objects.list(Kind::Pod, None).await.unwrap().is_empty());
    let stranger = ApiObjects::new(client(&ClusterAccess { token: "no".into(), ..access }).unwrap(), TIMEOUT_MS);
    assert!(matches!(stranger.list(Kind::Pod, None).await, Err(PortError::Refused { .. })));
    server.abort();
}
