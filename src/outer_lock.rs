//! The outer lock that the configuration picks.

use anyhow::Context as _;
use picket_adapters::etcd::EtcdLock;
use picket_adapters::outer_lock::{Access, LockSettings};
#[cfg(feature = "redis")]
use picket_adapters::redis::{RedisLock, WEAKER_PROMISE};
use picket_core::config::{Config, LockProvider};
use picket_core::ports::{OuterGrant, OuterLock, PortResult};
use picket_core::scope::Scope;
use picket_pipeline::actuator::OuterLocking;
use std::time::Duration;

/// One of the servers that picket can lock at.
#[derive(Clone, Debug)]
pub enum ConfiguredLock {
    /// etcd.
    Etcd(EtcdLock),
    /// Redis.
    #[cfg(feature = "redis")]
    Redis(RedisLock),
}

/// The outer lock that every claim needs, or `None` when the ledger's own leases are all there is. Connects on the first claim.
///
/// # Errors
/// When a file that it names cannot be read, or this binary was built without the provider.
pub fn from_config(config: &Config) -> anyhow::Result<Option<OuterLocking<ConfiguredLock>>> {
    let locks = &config.orchestration.distributed_locks;
    let settings = LockSettings {
        key_prefix: locks.key_prefix.clone(),
        call_timeout: Duration::from_millis(locks.call_timeout.ms().unsigned_abs()),
        drift: config.timing.clock_drift,
    };
    let lock = match locks.provider {
        LockProvider::Raft => return Ok(None),
        LockProvider::Etcd => {
            let endpoints = &locks.etcd.endpoints;
            tracing::info!(?endpoints, prefix = locks.key_prefix, "every claim needs an outer lock on etcd");
            ConfiguredLock::Etcd(EtcdLock::new(endpoints, &Access::read(&locks.etcd.access)?, settings)?)
        }
        LockProvider::Redis => redis(config, settings).context("orchestration.distributed_locks.provider: redis")?,
    };
    Ok(Some(OuterLocking { lock, ttl_ms: u64::from(locks.ttl_seconds) * 1000 }))
}

#[cfg(feature = "redis")]
fn redis(config: &Config, settings: LockSettings) -> anyhow::Result<ConfiguredLock> {
    let locks = &config.orchestration.distributed_locks;
    tracing::info!(url = locks.redis.url, prefix = locks.key_prefix, "every claim needs an outer lock on Redis");
    tracing::warn!("{WEAKER_PROMISE}");
    Ok(ConfiguredLock::Redis(RedisLock::new(&locks.redis.url, &Access::read(&locks.redis.access)?, settings)?))
}

#[cfg(not(feature = "redis"))]
fn redis(_: &Config, _: LockSettings) -> anyhow::Result<ConfiguredLock> {
    anyhow::bail!("this binary was built without the feature `redis`; use `raft` or `etcd`, or build with it")
}

impl OuterLock for ConfiguredLock {
    async fn acquire(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<Option<OuterGrant>> {
        match self {
            Self::Etcd(lock) => lock.acquire(scope, holder, ttl_ms).await,
            #[cfg(feature = "redis")]
            Self::Redis(lock) => lock.acquire(scope, holder, ttl_ms).await,
        }
    }

    async fn renew(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<bool> {
        match self {
            Self::Etcd(lock) => lock.renew(scope, holder, ttl_ms).await,
            #[cfg(feature = "redis")]
            Self::Redis(lock) => lock.renew(scope, holder, ttl_ms).await,
        }
    }

    async fn release(&self, scope: &Scope, holder: &str) -> PortResult<()> {
        match self {
            Self::Etcd(lock) => lock.release(scope, holder).await,
            #[cfg(feature = "redis")]
            Self::Redis(lock) => lock.release(scope, holder).await,
        }
    }

    fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64 {
        match self {
            Self::Etcd(lock) => lock.remaining_ms(scope, holder),
            #[cfg(feature = "redis")]
            Self::Redis(lock) => lock.remaining_ms(scope, holder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(change: fn(&mut Config)) -> anyhow::Result<Option<OuterLocking<ConfiguredLock>>> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut config = Config::default();
        change(&mut config);
        assert_eq!(config.problems(), []);
        from_config(&config)
    }

    #[test]
    fn the_configured_one_is_built() {
        assert!(built(|_| {}).unwrap().is_none());
        let etcd = built(|c| c.orchestration.distributed_locks.provider = LockProvider::Etcd).unwrap().unwrap();
        assert!(matches!(etcd.lock, ConfiguredLock::Etcd(_)) && etcd.ttl_ms == 60_000);
        let redis = built(|c| c.orchestration.distributed_locks.provider = LockProvider::Redis);
        if cfg!(feature = "redis") {
            assert!(format!("{:?}", redis.unwrap().unwrap().lock).contains("127.0.0.1:6379"));
        } else {
            assert!(format!("{:#}", redis.unwrap_err()).contains("without the feature `redis`"));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_at_start() {
        let error = built(|c| {
            c.orchestration.distributed_locks.provider = LockProvider::Etcd;
            c.orchestration.distributed_locks.etcd.access.ca_file = "/nonexistent/ca.pem".into();
        });
        assert!(error.unwrap_err().to_string().contains("/nonexistent/ca.pem"));
    }
}
