//! The services of a simulated cluster: a small shop with payments, logistics, reports and media.
//!
//! Namespaces are vertical slices, so that most services' failures stay inside their own namespace (as the limit
//! `service_namespace` wants); the payments namespace is called from the shop, so nothing there may be touched without a person.

/// A call from one service to another.
#[derive(Copy, Clone, Debug)]
pub struct CallSpec {
    /// The callee's name.
    pub to: &'static str,
    /// Calls per request of the caller.
    pub per_request: f64,
    /// Share of the callee's errors that become the caller's (the rest is met by a fallback).
    pub passes_errors: f64,
}

/// One service as it is set up.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Deployment, container and label `app`.
    pub name: &'static str,
    /// Namespace.
    pub namespace: &'static str,
    /// 1 (highest) to 3.
    pub tier: u8,
    /// Replicas.
    pub replicas: u32,
    /// Requests per second from outside the cluster.
    pub ingress_rps: f64,
    /// Own mean latency without load, in milliseconds.
    pub base_latency_ms: f64,
    /// Load of one pod at normal traffic, 0..1: capacity is derived from it.
    pub usual_utilisation: f64,
    /// Cores that one pod uses at full load; it requests [`REQUEST_SHARE`] of them.
    pub full_load_cores: f64,
    /// Memory limit and request, in MiB.
    pub memory_limit_mib: u32,
    /// Usual working set as a share of the limit.
    pub memory_share: f64,
    /// Size of its volume in GiB, 0 for none.
    pub volume_gib: u32,
    /// It holds a certificate.
    pub certificate: bool,
    /// Connections in the pool of one pod, 0 for none.
    pub pool_max: u32,
    /// False: labelled hands-off.
    pub managed: bool,
    /// Its CPU request is far above its use (waste) by this factor; 1 for none.
    pub over_request: f64,
    /// Whom it calls.
    pub calls: Vec<CallSpec>,
}

fn service(namespace: &'static str, name: &'static str, tier: u8, replicas: u32, ingress_rps: f64, base_latency_ms: f64) -> ServiceSpec {
    ServiceSpec {
        name,
        namespace,
        tier,
        replicas,
        ingress_rps,
        base_latency_ms,
        usual_utilisation: 0.42,
        full_load_cores: 0.5,
        memory_limit_mib: 512,
        memory_share: 0.68,
        volume_gib: 0,
        certificate: false,
        pool_max: 0,
        managed: true,
        over_request: 1.0,
        calls: Vec::new(),
    }
}

impl ServiceSpec {
    fn calls(mut self, to: &'static str, per_request: f64, passes_errors: f64) -> Self {
        self.calls.push(CallSpec { to, per_request, passes_errors });
        self
    }
    fn volume(mut self, gib: u32) -> Self {
        self.volume_gib = gib;
        self
    }
    fn pool(mut self, max: u32) -> Self {
        self.pool_max = max;
        self
    }
    fn certificate(mut self) -> Self {
        self.certificate = true;
        self
    }
    fn unmanaged(mut self) -> Self {
        self.managed = false;
        self
    }
    fn wasteful(mut self, factor: f64) -> Self {
        self.over_request = factor;
        self.memory_share = 0.68 / factor;
        self
    }

    /// Its CPU request in cores.
    #[must_use]
    pub fn cpu_request(&self) -> f64 {
        self.full_load_cores * REQUEST_SHARE * self.over_request
    }

    /// The name of its volume claim.
    #[must_use]
    pub fn claim(&self) -> String {
        format!("{}-data", self.name)
    }

    /// The name of its certificate's secret.
    #[must_use]
    pub fn secret(&self) -> String {
        format!("{}-tls", self.name)
    }
}

/// The services, callers before callees (so one pass carries load down, and one pass back carries latency up).
#[must_use]
pub fn services() -> Vec<ServiceSpec> {
    vec![
        service("shop", "storefront", 1, 4, 120.0, 18.0)
            .calls("catalog", 0.6, 0.3)
            .calls("cart", 0.3, 0.3)
            .calls("recommendations", 0.4, 0.05)
            .calls("search", 0.3, 0.2)
            .calls("checkout", 0.08, 0.3)
            .certificate()
            .pool(40),
        service("shop", "catalog", 2, 4, 0.0, 22.0).pool(30),
        service("shop", "cart", 2, 3, 10.0, 14.0).pool(30),
        service("shop", "recommendations", 3, 3, 0.0, 35.0),
        service("shop", "search", 2, 3, 12.0, 40.0).volume(20),
        service("payments", "checkout", 1, 3, 20.0, 30.0).calls("payment-api", 0.9, 0.8).calls("fraud", 0.5, 0.2).certificate(),
        service("payments", "payment-api", 1, 3, 0.0, 60.0).unmanaged().pool(20),
        service("payments", "fraud", 2, 3, 0.0, 45.0),
        service("logistics", "shipping", 2, 3, 50.0, 20.0).calls("routes-db", 0.8, 0.5).calls("tracking", 0.3, 0.1).certificate().pool(30),
        service("logistics", "routes-db", 2, 3, 0.0, 9.0).volume(40).pool(60),
        service("logistics", "tracking", 3, 3, 15.0, 16.0),
        service("logistics", "warehouse", 2, 3, 28.0, 26.0).calls("stock", 0.7, 0.3),
        service("logistics", "stock", 3, 4, 0.0, 12.0).volume(10).pool(40),
        service("insights", "reports", 3, 3, 22.0, 70.0).calls("metrics-store", 0.5, 0.3).certificate().pool(20),
        service("insights", "metrics-store", 3, 3, 10.0, 20.0).volume(30).pool(40),
        service("insights", "events", 3, 4, 80.0, 8.0).calls("stream", 0.6, 0.2),
        service("insights", "stream", 3, 3, 0.0, 6.0).volume(16),
        service("insights", "batch-scorer", 3, 3, 9.0, 55.0).wasteful(9.0),
        service("insights", "exporter", 3, 3, 0.0, 10.0),
        service("media", "images", 2, 4, 60.0, 24.0).calls("thumbnails", 0.3, 0.1).calls("blob", 0.5, 0.3).certificate(),
        service("media", "thumbnails", 3, 3, 6.0, 48.0),
        service("media", "blob", 3, 3, 0.0, 11.0).volume(50).pool(50),
        service("media", "avatars", 3, 3, 30.0, 15.0).certificate().wasteful(7.0),
        service("media", "legacy-feed", 3, 3, 15.0, 33.0).unmanaged().pool(15),
    ]
}

/// Share of a pod's full-load cores that it requests (unless it is wasteful).
pub const REQUEST_SHARE: f64 = 0.6;

/// Nodes of a cluster.
pub const NODES: [&str; 6] = ["node-a", "node-b", "node-c", "node-d", "node-e", "node-f"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_come_before_callees_and_a_tenth_of_the_fleet_is_six_pods() {
        let all = services();
        for (at, spec) in all.iter().enumerate() {
            for call in &spec.calls {
                assert!(all.iter().position(|s| s.name == call.to).is_some_and(|callee| callee > at), "{} calls {}", spec.name, call.to);
            }
        }
        assert!(all.len() >= 20);
        assert!(all.iter().map(|s| s.replicas).sum::<u32>() >= 60);
    }
}
