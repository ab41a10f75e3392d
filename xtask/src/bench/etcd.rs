//! Debian's etcd with its defaults, as three processes.

use super::build::Programs;
use super::group::{Group, empty_folder, free_addresses};
use super::measure;
use crate::packages;
use anyhow::Context as _;
use serde_json::Value;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Three members.
pub struct Etcd {
    /// Their processes.
    pub group: Group,
    program: PathBuf,
    endpoints: String,
}

/// `etcd --version`'s first line.
///
/// # Errors
/// When there is no etcd.
pub fn version() -> anyhow::Result<String> {
    let out = Command::new(etcd()).arg("--version").output().context("etcd cannot be run")?;
    Ok(String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().replace("etcd Version:", "etcd"))
}

fn etcd() -> PathBuf {
    packages::find("etcd").unwrap_or_else(|| "etcd".into())
}

impl Etcd {
    /// Starts a new, empty group and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let folder = empty_folder(folder)?;
        let (clients, peers) = (free_addresses(3)?, free_addresses(3)?);
        let cluster = peers.iter().zip(1..).map(|(at, id)| format!("m{id}=http://{at}")).collect::<Vec<_>>().join(",");
        let member = |index: usize| -> Box<dyn Fn() -> Command> {
            let (client, peer) = (format!("http://{}", clients[index]), format!("http://{}", peers[index]));
            let (cluster, name, data) = (cluster.clone(), format!("m{}", index + 1), folder.join(format!("data-{}", index + 1)));
            Box::new(move || {
                let mut command = Command::new(etcd());
                command.args(["--name", &name, "--data-dir"]).arg(&data);
                command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
                command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
                command.args(["--initial-cluster", &cluster, "--initial-cluster-state", "new", "--initial-cluster-token", "bench"]);
                command
            })
        };
        let group = Group::start(folder.clone(), (0..3).map(member).collect())?;
        let mut started = Self { group, program: programs.etcd_bench.clone(), endpoints: clients.join(",") };
        started.wait()?;
        Ok(started)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        // A member listens for clients once it takes part.
        let endpoints = self.endpoints.clone();
        self.group.wait_until("every member of etcd listens", || endpoints.split(',').all(|at| TcpStream::connect(at).is_ok()))?;
        let once = self.load(&["--clients", "1", "--seconds", "0.2", "--warm-up-s", "0"]);
        self.group.wait_until("etcd is ready", || measure::json(once()).is_ok_and(|report| report["cycles"].as_u64() > Some(0)))
    }

    fn load(&self, options: &[&str]) -> impl Fn() -> Command + use<> {
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        let (program, endpoints) = (self.program.clone(), self.endpoints.clone());
        move || {
            let mut command = Command::new(&program);
            command.args(["--endpoints", &endpoints]).args(&options);
            command
        }
    }

    /// Runs the load.
    ///
    /// # Errors
    /// When it fails.
    pub fn measure(&self, options: &[&str]) -> anyhow::Result<Value> {
        measure::json(self.load(options)())
    }

    /// Kills the leader, and says how many milliseconds nobody was served.
    ///
    /// # Errors
    /// When the leader cannot be killed or nobody follows.
    pub fn failover_ms(&mut self) -> anyhow::Result<f64> {
        let pids = self.group.pids().iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let report = self.measure(&["--run", &format!("failover-{pids}"), "--kill-leader-of", &pids])?;
        self.group.restart_the_dead()?;
        self.wait()?;
        report["failover_ms"].as_f64().context("no failover_ms")
    }
}
