//! A nats-server child with JetStream on disk: what the demo and the tests run against.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers: it replays its files first.
const READY: Duration = Duration::from_secs(20);

/// Why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program is not installed.
    #[error("nats-server was found neither on the PATH nor in /usr/sbin: install it (Debian, Ubuntu: `apt-get install nats-server`)")]
    Missing,
    /// Its files or process could not be made.
    #[error("nats-server in {dir}: {error}")]
    Io {
        /// Its data directory.
        dir: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// It ended or did not listen in time.
    #[error("nats-server in {dir} did not start: {log}")]
    NotReady {
        /// Its data directory.
        dir: PathBuf,
        /// The end of its log.
        log: String,
    },
}

/// A running nats-server. Dropping it kills it.
#[derive(Debug)]
pub struct NatsChild {
    child: Child,
    port: u16,
}

impl NatsChild {
    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port: give it to [`spawn`] again after a kill.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for NatsChild {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server on 127.0.0.1 with its streams under `data_dir`; port 0 takes a free one. Blocks until it listens.
///
/// # Errors
/// [`SpawnError`] naming the package when it is not installed, and the end of its log when it does not start.
pub fn spawn(data_dir: &Path, port: u16) -> Result<NatsChild, SpawnError> {
    let io = |error| SpawnError::Io { dir: data_dir.to_owned(), error };
    let program = find().ok_or(SpawnError::Missing)?;
    std::fs::create_dir_all(data_dir).map_err(io)?;
    let port = if port == 0 { free_port().map_err(io)? } else { port };
    let log_path = data_dir.join("nats-server.log");
    let config_path = data_dir.join("nats-server.conf");
    std::fs::write(&config_path, config(data_dir, port)).map_err(io)?;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(io)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(&config_path).stdin(Stdio::null()).stdout(log.try_clone().map_err(io)?).stderr(log);
    let mut server = NatsChild { child: command.spawn().map_err(io)?, port };
    let deadline = Instant::now() + READY;
    while Instant::now() < deadline && !server.has_ended() {
        // It opens its port after JetStream has recovered.
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(server);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill();
    Err(SpawnError::NotReady { dir: data_dir.to_owned(), log: end_of(&log_path) })
}

/// Quoted as JSON is: the configuration language reads the same strings.
fn config(data_dir: &Path, port: u16) -> String {
    let store = serde_json::Value::from(data_dir.join("jetstream").to_string_lossy().into_owned());
    format!(
        "listen: \"127.0.0.1:{port}\"\nmax_payload: 4MB\njetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: 8GB }}\n"
    )
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|dir| dir.join("nats-server"))
        .find(|file| file.is_file())
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    let lines: Vec<_> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// A port that nobody listens on now.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
