//! The lock as etcd's own clients make it: below the scope's key, the oldest key is the holder, and it lives as long as its lease.

use super::gateway::{EtcdError, Failed, Gateway, code};
use crate::outer_lock::{Access, LockSettings, Tenures, scope_key, stopwatch};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use picket_core::ports::{OuterGrant, OuterLock, PortError, PortResult};
use picket_core::scope::Scope;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

struct Inner {
    gateway: Gateway,
    tenures: Tenures,
    key_prefix: String,
    call_timeout: Duration,
}

/// An [`OuterLock`] on an etcd cluster (3.4 or later). `etcdctl lock KEY` and the mutexes of etcd's clients exclude it and are excluded by it.
/// The fencing value is the revision at which the holder's key was made.
#[derive(Clone)]
pub struct EtcdLock {
    inner: Arc<Inner>,
}

impl fmt::Debug for EtcdLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdLock").field("server", &self.inner.gateway.name()).finish_non_exhaustive()
    }
}

/// Where one holder's claim to one scope is kept.
struct Place {
    /// Everything that wants the scope is below this.
    prefix: Vec<u8>,
    /// The holder's own key: the prefix and its lease in hex, as etcd's clients name theirs.
    key: Vec<u8>,
    /// Drawn from key and holder: the same request finds its own lease again, whatever became of the answer.
    lease: i64,
}

impl Place {
    fn of(scope_key: &str, holder: &str) -> Self {
        let prefix = format!("{scope_key}/").into_bytes();
        let hash = Sha256::new().chain_update(&prefix).chain_update([0]).chain_update(holder).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        // Leases are positive.
        let lease = (i64::from_be_bytes(first) & i64::MAX).max(1);
        let key = [prefix.as_slice(), format!("{lease:x}").as_bytes()].concat();
        Self { prefix, key, lease }
    }

    /// The end of the range of all keys below the prefix: `0` follows `/`.
    fn range_end(&self) -> Vec<u8> {
        let mut end = self.prefix.clone();
        end.pop();
        end.push(b'0');
        end
    }

    fn oldest(&self) -> Value {
        json!({
            "key": BASE64.encode(&self.prefix), "range_end": BASE64.encode(self.range_end()),
            "limit": "1", "sort_order": "ASCEND", "sort_target": "CREATE",
        })
    }
}

/// The oldest key below a prefix.
struct Owner {
    key: Vec<u8>,
    holder: Vec<u8>,
    created: u64,
}

impl Owner {
    fn is(&self, place: &Place, holder: &str) -> bool {
        self.key == place.key && self.holder == holder.as_bytes()
    }
}

/// etcd writes 64-bit numbers as text, and leaves out what is 0.
fn number(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64()).unwrap_or(0)
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().and_then(|text| BASE64.decode(text).ok()).unwrap_or_default()
}

impl EtcdLock {
    /// A lock on the members at `endpoints`. Connects on the first call.
    ///
    /// # Errors
    /// When there is no endpoint, or a certificate cannot be read.
    pub fn new(endpoints: &[String], access: &Access, settings: LockSettings) -> Result<Self, EtcdError> {
        let gateway = Gateway::new(endpoints, access, settings.call_timeout)?;
        let tenures = Tenures::new(stopwatch(), settings.drift);
        Ok(Self { inner: Arc::new(Inner { gateway, tenures, key_prefix: settings.key_prefix, call_timeout: settings.call_timeout }) })
    }

    fn place(&self, scope: &Scope, holder: &str) -> Place {
        Place::of(&scope_key(&self.inner.key_prefix, scope), holder)
    }

    async fn call(&self, path: &str, body: Value) -> PortResult<Value> {
        self.inner.gateway.call(path, &body).await.map_err(|failed| failed.port_error(&self.inner.gateway.name()))
    }

    /// One deadline over all requests of one call of the port.
    async fn within<T>(&self, call: impl Future<Output = PortResult<T>> + Send) -> PortResult<T> {
        let late = |_| Err(PortError::Timeout { what: self.inner.gateway.name() });
        tokio::time::timeout(self.inner.call_timeout, call).await.unwrap_or_else(late)
    }

    async fn owner(&self, place: &Place) -> PortResult<Option<Owner>> {
        let answer = self.call("/v3/kv/range", place.oldest()).await?;
        Ok(answer["kvs"].get(0).map(|kv| Owner {
            key: bytes(&kv["key"]),
            holder: bytes(&kv["value"]),
            created: u64::try_from(number(&kv["create_revision"])).unwrap_or(0),
        }))
    }

    /// Prolongs a lease; its TTL in ms, or `None` when it has ended.
    async fn keep_alive(&self, place: &Place) -> PortResult<Option<u64>> {
        let answer = self.call("/v3/lease/keepalive", json!({ "ID": place.lease.to_string() })).await?;
        let ttl_s = u64::try_from(number(&answer["result"]["TTL"])).unwrap_or(0);
        Ok((ttl_s > 0).then_some(ttl_s * 1000))
    }

    /// Makes the lease; its TTL in ms.
    async fn grant(&self, place: &Place, ttl_ms: u64) -> PortResult<u64> {
        let body = json!({ "ID": place.lease.to_string(), "TTL": ttl_ms.div_ceil(1000).max(1).to_string() });
        match self.inner.gateway.call("/v3/lease/grant", &body).await {
            Ok(answer) => Ok(u64::try_from(number(&answer["TTL"])).unwrap_or(0) * 1000),
            // An earlier try of this very request made it, and its answer was lost.
            Err(Failed::Said { code: code::FAILED_PRECONDITION, .. }) => self.keep_alive(place).await?.ok_or_else(|| {
                PortError::Unavailable { what: self.inner.gateway.name(), why: "the lease of an earlier try is just ending".to_owned() }
            }),
            Err(failed) => Err(failed.port_error(&self.inner.gateway.name())),
        }
    }

    async fn revoke(&self, place: &Place) -> PortResult<()> {
        match self.inner.gateway.call("/v3/lease/revoke", &json!({ "ID": place.lease.to_string() })).await {
            Ok(_) | Err(Failed::Said { code: code::NOT_FOUND, .. }) => Ok(()),
            Err(failed) => Err(failed.port_error(&self.inner.gateway.name())),
        }
    }

    /// Keeps what is held: TTL in ms and fencing value, or `None` when it is lost.
    async fn prolong(&self, place: &Place, holder: &str) -> PortResult<Option<(u64, u64)>> {
        let Some(ttl_ms) = self.keep_alive(place).await? else { return Ok(None) };
        // A lease may outlive its key: somebody deleted it.
        let owner = self.owner(place).await?.filter(|owner| owner.is(place, holder));
        Ok(owner.map(|owner| (ttl_ms, owner.created)))
    }

    /// Takes what is free: TTL in ms and fencing value, or `None` when another has it.
    async fn take(&self, place: &Place, holder: &str, ttl_ms: u64) -> PortResult<Option<(u64, u64)>> {
        if self.owner(place).await?.is_some_and(|owner| !owner.is(place, holder)) {
            return Ok(None);
        }
        let granted_ms = self.grant(place, ttl_ms).await?;
        let nobody = json!({
            "target": "CREATE", "result": "EQUAL", "create_revision": "0",
            "key": BASE64.encode(&place.prefix), "range_end": BASE64.encode(place.range_end()),
        });
        let put = json!({ "key": BASE64.encode(&place.key), "value": BASE64.encode(holder), "lease": place.lease.to_string() });
        let answer = self.call("/v3/kv/txn", json!({ "compare": [nobody], "success": [{ "request_put": put }] })).await?;
        if answer["succeeded"].as_bool() == Some(true) {
            let created = u64::try_from(number(&answer["header"]["revision"])).unwrap_or(0);
            return Ok(Some((granted_ms, created)));
        }
        // Somebody was faster, or the first copy of this transaction landed and its answer was lost.
        let held = self.prolong(place, holder).await?;
        if held.is_none() {
            self.revoke(place).await?;
        }
        Ok(held)
    }

    /// Keeps the book of what a call found out.
    fn note(&self, scope: &Scope, holder: &str, sent_ms: u64, ttl_ms: u64, held: Option<(u64, u64)>) -> Option<OuterGrant> {
        let tenures = &self.inner.tenures;
        if let Some((granted_ms, created)) = held {
            tenures.confirm(scope, holder, sent_ms, ttl_ms.min(granted_ms));
            Some(OuterGrant { fence: Some(created) })
        } else {
            tenures.end(scope, holder);
            None
        }
    }
}

impl OuterLock for EtcdLock {
    async fn acquire(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<Option<OuterGrant>> {
        let place = self.place(scope, holder);
        let sent_ms = self.inner.tenures.send(scope, holder, ttl_ms);
        let held = self.within(async {
            match self.prolong(&place, holder).await? {
                None => self.take(&place, holder, ttl_ms).await,
                held => Ok(held),
            }
        });
        let held = held.await?;
        Ok(self.note(scope, holder, sent_ms, ttl_ms, held))
    }

    async fn renew(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<bool> {
        let place = self.place(scope, holder);
        let sent_ms = self.inner.tenures.send(scope, holder, ttl_ms);
        let held = self.within(self.prolong(&place, holder)).await?;
        Ok(self.note(scope, holder, sent_ms, ttl_ms, held).is_some())
    }

    async fn release(&self, scope: &Scope, holder: &str) -> PortResult<()> {
        let place = self.place(scope, holder);
        self.inner.tenures.end(scope, holder);
        let own = json!({ "target": "VALUE", "result": "EQUAL", "key": BASE64.encode(&place.key), "value": BASE64.encode(holder) });
        let delete = json!({ "request_delete_range": { "key": BASE64.encode(&place.key) } });
        self.within(async {
            let answer = self.call("/v3/kv/txn", json!({ "compare": [own], "success": [delete] })).await?;
            if answer["succeeded"].as_bool() == Some(true) { self.revoke(&place).await } else { Ok(()) }
        })
        .await
    }

    fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64 {
        self.inner.tenures.remaining_ms(scope, holder)
    }
}
