//! Locks: the ledger's own leases, and the outer lock that a site may add to them.

use super::Span;
use super::validate::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Locks beside the ledger's leases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DistributedLocks {
    /// `raft` (the ledger's own), or `etcd` or `redis` as an outer lock as well.
    pub provider: LockProvider,
    /// Lifetime of a lease and of an outer lock, 1 to 3600 s.
    pub ttl_seconds: u32,
    /// What every outer lock's key begins with, without a slash at its end.
    pub key_prefix: String,
    /// Deadline of one call of the outer lock, whatever number of servers it asks.
    pub call_timeout: Span,
    /// Where etcd is.
    pub etcd: EtcdServers,
    /// Where Redis is.
    pub redis: RedisServer,
}

impl Default for DistributedLocks {
    fn default() -> Self {
        Self {
            provider: LockProvider::Raft,
            ttl_seconds: 60,
            key_prefix: "picket/locks".to_owned(),
            call_timeout: Span::from_s(2),
            etcd: EtcdServers::default(),
            redis: RedisServer::default(),
        }
    }
}

/// Who holds locks beside the ledger.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockProvider {
    /// The ledger alone.
    Raft,
    /// etcd as well.
    Etcd,
    /// Redis as well.
    Redis,
}

/// Where etcd is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EtcdServers {
    /// Members of one cluster, `http://HOST:PORT` or `https://HOST:PORT`; the next is asked when one does not answer.
    pub endpoints: Vec<String>,
    /// How picket shows who it is.
    pub access: ServerAccess,
}

impl Default for EtcdServers {
    fn default() -> Self {
        Self { endpoints: vec!["http://127.0.0.1:2379".to_owned()], access: ServerAccess::default() }
    }
}

/// Where Redis is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisServer {
    /// `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS.
    pub url: String,
    /// How picket shows who it is.
    pub access: ServerAccess,
}

impl Default for RedisServer {
    fn default() -> Self {
        Self { url: "redis://127.0.0.1:6379/0".to_owned(), access: ServerAccess::default() }
    }
}

/// How picket shows a lock server who it is. Secrets are files: they are never in the configuration itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerAccess {
    /// Account; empty for none.
    pub username: String,
    /// File with its password; empty for none.
    pub password_file: String,
    /// PEM file of the server's CA; empty for the system's.
    pub ca_file: String,
    /// PEM file of the certificate that picket shows; empty for none.
    pub client_cert_file: String,
    /// PEM file of its key.
    pub client_key_file: String,
}

/// Longest prefix: keys stay readable in the servers' own tools.
const PREFIX_MAX: usize = 200;

impl DistributedLocks {
    /// What taking an outer lock may take of a permit's time, in ms; 0 without one.
    pub(super) fn outer_call_ms(&self) -> i64 {
        if self.provider == LockProvider::Raft { 0 } else { self.call_timeout.ms() }
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut must = |holds: bool, key: &str, why: &str| {
            if !holds {
                problems.push(Problem::new(&format!("orchestration.distributed_locks.{key}"), why));
            }
        };
        must((1..=3600).contains(&self.ttl_seconds), "ttl_seconds", "must be between 1 and 3600");
        let prefix = &self.key_prefix;
        must(
            !prefix.is_empty()
                && prefix.len() <= PREFIX_MAX
                && !prefix.ends_with('/')
                && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b':')),
            "key_prefix",
            "must be 1 to 200 letters, digits and / - . _ : without a slash at the end",
        );
        must((100..=10_000).contains(&self.call_timeout.ms()), "call_timeout", "must be between 100ms and 10s");
        let etcd_ok = |url: &String| place(url, &["http://", "https://"]).is_some_and(|place| !place.trim_end_matches('/').contains('/'));
        must(!self.etcd.endpoints.is_empty(), "etcd.endpoints", "name at least one http://HOST:PORT or https://HOST:PORT");
        must(
            self.etcd.endpoints.iter().all(etcd_ok),
            "etcd.endpoints",
            "must be http://HOST:PORT or https://HOST:PORT; an account belongs in etcd.access",
        );
        must(
            self.etcd.access.username.is_empty() == self.etcd.access.password_file.is_empty(),
            "etcd.access.username",
            "needs password_file, and the other way round",
        );
        must(
            place(&self.redis.url, &["redis://", "rediss://"]).is_some(),
            "redis.url",
            "must be redis://HOST:PORT/DATABASE or rediss://HOST:PORT/DATABASE; an account belongs in redis.access",
        );
        must(
            self.redis.access.username.is_empty() || !self.redis.access.password_file.is_empty(),
            "redis.access.username",
            "needs password_file",
        );
        for (key, access) in [("etcd.access", &self.etcd.access), ("redis.access", &self.redis.access)] {
            must(
                access.client_cert_file.is_empty() == access.client_key_file.is_empty(),
                &format!("{key}.client_cert_file"),
                "needs client_key_file, and the other way round",
            );
        }
    }
}

/// What follows one of these schemes: a host, and no account, because a password in an address ends up in logs.
fn place<'a>(url: &'a str, schemes: &[&str]) -> Option<&'a str> {
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let plain = !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
    plain.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(locks: &DistributedLocks) -> Vec<String> {
        let mut problems = Vec::new();
        locks.check(&mut problems);
        problems.into_iter().map(|p| p.key.trim_start_matches("orchestration.distributed_locks.").to_owned()).collect()
    }

    #[test]
    fn what_cannot_work_is_refused_by_key() {
        let good = DistributedLocks::default();
        assert_eq!(keys(&good), Vec::<String>::new());
        let with = |change: fn(&mut DistributedLocks)| {
            let mut locks = good.clone();
            change(&mut locks);
            keys(&locks)
        };
        assert_eq!(with(|l| l.ttl_seconds = 0), ["ttl_seconds"]);
        assert_eq!(with(|l| l.ttl_seconds = 3601), ["ttl_seconds"]);
        for prefix in ["", "locks/", "lo cks", "l\u{f6}cks", "a\nb", "{tag}"] {
            let locks = DistributedLocks { key_prefix: prefix.into(), ..good.clone() };
            assert_eq!(keys(&locks), ["key_prefix"], "{prefix:?}");
        }
        assert_eq!(with(|l| l.call_timeout = Span::from_ms(99)), ["call_timeout"]);
        assert_eq!(with(|l| l.etcd.endpoints.clear()), ["etcd.endpoints"]);
        for url in ["127.0.0.1:2379", "https://", "https://me:secret@host:2379", "http://host:2379/v3", "redis://host:6379"] {
            let locks = DistributedLocks { etcd: EtcdServers { endpoints: vec![url.into()], ..good.etcd.clone() }, ..good.clone() };
            assert_eq!(keys(&locks), ["etcd.endpoints"], "{url}");
        }
        for url in ["127.0.0.1:6379", "redis://", "redis:///0", "redis://:secret@host:6379", "http://host:6379"] {
            let locks = DistributedLocks { redis: RedisServer { url: url.into(), ..good.redis.clone() }, ..good.clone() };
            assert_eq!(keys(&locks), ["redis.url"], "{url}");
        }
        assert_eq!(with(|l| l.etcd.access.username = "picket".into()), ["etcd.access.username"]);
        assert_eq!(with(|l| l.redis.access.username = "picket".into()), ["redis.access.username"]);
        assert_eq!(with(|l| l.redis.access.password_file = "p".into()), Vec::<String>::new(), "Redis knows passwords without an account");
        assert_eq!(with(|l| l.redis.access.client_key_file = "k".into()), ["redis.access.client_cert_file"]);
    }
}
