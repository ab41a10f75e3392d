//! Starts the roles as child processes, restarts what dies, stops all.

use super::layout::Layout;
use crate::roles::SUPERVISED_VARIABLE;
use anyhow::{Context as _, bail};
use picket_adapters::nats::server::{self, NatsChild};
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A part that dies this often is not restarted any more: something is wrong with it.
const RESTARTS_MAX: u32 = 20;
/// How long a part may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(5);

struct Part {
    name: String,
    args: Vec<String>,
    child: Child,
    restarts: u32,
}

/// The process tree.
pub struct Supervisor {
    layout: Layout,
    clock: (&'static str, String),
    binary: PathBuf,
    bus: Option<NatsChild>,
    parts: Vec<Part>,
}

impl Supervisor {
    /// An empty tree.
    ///
    /// # Errors
    /// When this binary cannot be found.
    pub fn new(layout: &Layout, clock: (&'static str, String)) -> anyhow::Result<Self> {
        Ok(Self { layout: layout.clone(), clock, binary: std::env::current_exe()?, bus: None, parts: Vec::new() })
    }

    /// Starts the bus on the port of its URL.
    ///
    /// # Errors
    /// When nats-server is not installed or does not come up.
    pub fn start_bus(&mut self, url: &str) -> anyhow::Result<()> {
        let port = url.rsplit(':').next().and_then(|p| p.parse().ok()).with_context(|| format!("mesh.nats_url: `{url}` has no port"))?;
        let bus = server::spawn(&self.layout.dir.join("data").join("nats"), port)?;
        self.note_pid("nats-server", bus.pid())?;
        self.bus = Some(bus);
        Ok(())
    }

    /// Starts a role.
    ///
    /// # Errors
    /// When it cannot be spawned.
    pub fn start(&mut self, name: &str, args: &[&str]) -> anyhow::Result<()> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let child = self.spawn(name, &args)?;
        self.parts.push(Part { name: name.to_owned(), args, child, restarts: 0 });
        Ok(())
    }

    fn spawn(&self, name: &str, args: &[String]) -> anyhow::Result<Child> {
        let path = self.layout.log_file(name);
        let log =
            File::options().create(true).append(true).open(&path).with_context(|| format!("{}: cannot be written", path.display()))?;
        let child = Command::new(&self.binary)
            .args(args)
            .arg("--config")
            .arg(&self.layout.config_file)
            .env(self.clock.0, &self.clock.1)
            .env(SUPERVISED_VARIABLE, "1")
            // One address serves one process.
            .env_remove("PICKET_METRICS_LISTEN")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        self.note_pid(name, child.id().unwrap_or_default())?;
        Ok(child)
    }

    /// For whoever wants to kill a part: tests, mostly.
    fn note_pid(&self, name: &str, pid: u32) -> anyhow::Result<()> {
        let path = self.layout.dir.join("pids").join(name);
        std::fs::write(&path, pid.to_string()).with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Restarts every part that has ended.
    ///
    /// # Errors
    /// When a part ends again and again.
    pub fn restart_what_died(&mut self) -> anyhow::Result<()> {
        if let Some(bus) = &mut self.bus
            && bus.has_ended()
        {
            let port = bus.port();
            tracing::warn!("nats-server ended; starting it again");
            let bus = server::spawn(&self.layout.dir.join("data").join("nats"), port)?;
            self.note_pid("nats-server", bus.pid())?;
            self.bus = Some(bus);
        }
        for index in 0..self.parts.len() {
            let Some(status) = self.parts[index].child.try_wait()? else { continue };
            let part = &mut self.parts[index];
            part.restarts += 1;
            let (name, args, restarts) = (part.name.clone(), part.args.clone(), part.restarts);
            if restarts > RESTARTS_MAX {
                bail!("{name} ended {restarts} times, last with {status}; {} says why", self.layout.log_file(&name).display());
            }
            tracing::warn!(name, %status, "a part ended; starting it again");
            self.parts[index].child = self.spawn(&name, &args)?;
        }
        Ok(())
    }

    /// Ends every part: closes their standard input, waits, then kills.
    pub async fn stop(mut self) {
        for part in self.parts.iter_mut().rev() {
            drop(part.child.stdin.take());
        }
        let until = tokio::time::Instant::now() + END_WITHIN;
        for part in self.parts.iter_mut().rev() {
            if tokio::time::timeout_at(until, part.child.wait()).await.is_err() {
                _ = part.child.kill().await;
            }
        }
        if let Some(mut bus) = self.bus.take() {
            bus.kill();
        }
    }
}
