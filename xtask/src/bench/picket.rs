//! The coordinator as it is deployed: three processes, mutual TLS, their logs on disk.

use super::build::Programs;
use super::group::{Group, empty_folder, free_addresses};
use super::measure;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// In whose name the load runs.
const PERSON: &str = "bench";

/// Three nodes.
pub struct Picket {
    /// Their processes.
    pub group: Group,
    program: PathBuf,
    config: PathBuf,
    addresses: Vec<String>,
}

impl Picket {
    /// Starts a new, empty group and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let folder = empty_folder(folder)?;
        let pki = folder.join("pki");
        let (program, config) = (programs.picket.clone(), folder.join("picket.yaml"));
        let made = Command::new(&program).args(["pki", "init"]).arg(&pki).args(["--clusters", "bench", "--people", PERSON]).output();
        let made = made.with_context(|| format!("{} cannot be run", program.display()))?;
        if !made.status.success() {
            bail!("no certificates: {}", String::from_utf8_lossy(&made.stderr));
        }
        let addresses = free_addresses(3)?;
        let nodes: String = addresses.iter().zip(1..).map(|(at, id)| format!("    {id}: \"{at}\"\n")).collect();
        let text = format!("mesh:\n  pki_dir: {:?}\n  data_dir: {:?}\n  coordinators:\n{nodes}", pki, folder.join("data"));
        std::fs::write(&config, text)?;
        let node = |id: u64| -> Box<dyn Fn() -> Command> {
            let (program, config) = (program.clone(), config.clone());
            Box::new(move || {
                let mut command = Command::new(&program);
                command.arg("coordinator").arg("--id").arg(id.to_string()).arg("--config").arg(&config);
                command
            })
        };
        let group = Group::start(folder, (1..=3).map(node).collect())?;
        let mut started = Self { group, program, config, addresses };
        started.wait()?;
        Ok(started)
    }

    /// Waits until a command is answered, and every node answers reads.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait(&mut self) -> anyhow::Result<()> {
        for address in self.addresses.clone() {
            let once = self.load(&["--clients", "1", "--seconds", "0.2", "--warm-up-s", "0", "--endpoints", &address]);
            let what = format!("the coordinator at {address} is ready");
            self.group.wait_until(&what, || measure::json(once()).is_ok_and(|report| report["cycles"].as_u64() > Some(0)))?;
        }
        Ok(())
    }

    /// `picket bench coordinator` with these options.
    pub fn load(&self, options: &[&str]) -> impl Fn() -> Command + use<> {
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        let (program, config) = (self.program.clone(), self.config.clone());
        move || {
            let mut command = Command::new(&program);
            command.args(["bench", "coordinator", "--json", "--config"]).arg(&config).args(&options).env("PICKET_AS", PERSON);
            command
        }
    }

    /// Runs it.
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
        let pids = self.group.pids().iter().zip(1..).map(|(pid, id)| format!("{id}={pid}")).collect::<Vec<_>>().join(",");
        let report = self.measure(&["--kill-leader-of", &pids])?;
        self.group.restart_the_dead()?;
        self.wait()?;
        report["failover_ms"].as_f64().context("no failover_ms")
    }

    /// Kills one that follows, starts it again, and says how long its log is (in megabytes) and how many seconds it took to answer.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart_one(&mut self) -> anyhow::Result<(u64, f64)> {
        let index = 2;
        self.group.kill(index)?;
        let data = self.group.folder.join("data").join(format!("coordinator-{}", index + 1));
        let log_mb = bytes_below(&data)? >> 20;
        let read = self.load(&["--ping", "--endpoints", &self.addresses[index]]);
        self.group.restart_the_dead()?;
        let begun = Instant::now();
        self.group.wait_until("the node is back", || measure::json(read()).is_ok())?;
        Ok((log_mb, begun.elapsed().as_secs_f64()))
    }
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
