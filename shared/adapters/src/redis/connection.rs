//! One connection, made when it is needed and thrown away when it fails.

use crate::outer_lock::Access;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ErrorKind, IntoConnectionInfo as _, ServerErrorKind, TlsCertificates};
use picket_core::ports::PortError;
use std::time::Duration;
use tokio::sync::Mutex;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("orchestration.distributed_locks.redis: {why}")]
pub struct RedisError {
    why: String,
}

pub(super) struct Connection {
    client: Client,
    /// `host:port`, for messages: the address itself may carry a password.
    name: String,
    open: Mutex<Option<MultiplexedConnection>>,
    timeout: Duration,
}

impl Connection {
    /// Connects on the first call.
    pub(super) fn new(url: &str, access: &Access, timeout: Duration) -> Result<Self, RedisError> {
        let failed = |error: ::redis::RedisError| RedisError { why: error.to_string() };
        let mut info = url.into_connection_info().map_err(failed)?;
        if let Some((username, password)) = &access.account {
            let mut settings = info.redis_settings().clone().set_password(password);
            if !username.is_empty() {
                settings = settings.set_username(username);
            }
            info = info.set_redis_settings(settings);
        }
        let name = info.addr().to_string();
        let with_tls = url.starts_with("rediss://");
        if !with_tls && (access.ca_pem.is_some() || access.identity_pem.is_some()) {
            return Err(RedisError { why: "certificates are only used with a rediss:// address".to_owned() });
        }
        let client = if with_tls {
            let client_tls = access.identity_pem.clone().map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
            Client::build_with_tls(info, TlsCertificates { client_tls, root_cert: access.ca_pem.clone() })
        } else {
            Client::open(info)
        };
        Ok(Self { client: client.map_err(failed)?, name, open: Mutex::default(), timeout })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Runs a command that may be run twice.
    pub(super) async fn call(&self, command: &Cmd) -> Result<i64, PortError> {
        if let Ok(answer) = tokio::time::timeout(self.timeout, self.attempts(command)).await {
            answer.map_err(|error| self.error(&error))
        } else {
            // It may hang for good: the next call makes a new one.
            *self.open.lock().await = None;
            Err(PortError::Timeout { what: format!("redis at {}", self.name) })
        }
    }

    /// A connection that was left open may have died since: that alone is tried again, on a new one.
    async fn attempts(&self, command: &Cmd) -> ::redis::RedisResult<i64> {
        let was_open = self.open.lock().await.is_some();
        match self.attempt(command).await {
            Err(error) if was_open && error.is_io_error() => self.attempt(command).await,
            answer => answer,
        }
    }

    async fn attempt(&self, command: &Cmd) -> ::redis::RedisResult<i64> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(::redis::RedisError::is_unrecoverable_error) {
            *self.open.lock().await = None;
        }
        answer
    }

    async fn connection(&self) -> ::redis::RedisResult<MultiplexedConnection> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        // The deadline is that of the whole call.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }

    fn error(&self, error: &::redis::RedisError) -> PortError {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
        let what = format!("redis at {}", self.name);
        let why = error.to_string();
        match error.kind() {
            ErrorKind::Io | ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain) => {
                PortError::Unavailable { what, why }
            }
            _ => PortError::Refused { what, why },
        }
    }
}
