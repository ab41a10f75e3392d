//! The processes of a group: started, killed, stopped and continued.

use crate::namespaces::{self, Namespaces, OUTSIDE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use picket_coordinator::pki;
use picket_coordinator_client::{ClientConfig, CoordinatorClient};
use picket_core::ids::Principal;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const NODES: u64 = 3;
const PORT: u16 = 7_501;

/// Three node processes and what belongs to them. Dropping it ends them.
pub struct Group {
    program: PathBuf,
    dir: tempfile::TempDir,
    addresses: BTreeMap<u64, String>,
    processes: BTreeMap<u64, Child>,
    namespaces: Option<Namespaces>,
    /// Processes that ended though nobody killed them.
    pub ended_alone: Vec<String>,
}

impl Group {
    /// Certificates for the nodes and for `callers`, and the processes: `program node …`.
    ///
    /// # Errors
    /// When something cannot be started.
    pub fn start(program: &Path, callers: &[Principal], namespaces: Option<Namespaces>) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let addresses: BTreeMap<u64, String> = match namespaces {
            Some(_) => (1..=NODES).map(|id| (id, format!("{}:{PORT}", namespaces::address(id)))).collect(),
            None => free_addresses()?,
        };
        let principals: Vec<_> = (1..=NODES).map(Principal::Node).chain(callers.iter().cloned()).collect();
        let hosts: Vec<_> = (1..=NODES).map(namespaces::address).collect();
        pki::init_demo(&dir.path().join("pki"), &principals, &hosts).map_err(io::Error::other)?;
        let mut group =
            Self { program: program.to_owned(), dir, addresses, processes: BTreeMap::new(), namespaces, ended_alone: Vec::new() };
        for id in group.ids() {
            group.start_node(id)?;
        }
        Ok(group)
    }

    /// Every node.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.addresses.keys().copied().collect()
    }

    /// Where a node listens.
    #[must_use]
    pub fn address(&self, id: u64) -> &str {
        &self.addresses[&id]
    }

    /// The folder of the certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.dir.path().join("pki")
    }

    /// A node's process.
    #[must_use]
    pub fn process(&self, id: u64) -> Option<u32> {
        self.processes.get(&id).map(Child::id)
    }

    fn log_path(&self, id: u64) -> PathBuf {
        self.dir.path().join(format!("node-{id}.log"))
    }

    /// Starts a node that is not running.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_node(&mut self, id: u64) -> io::Result<()> {
        if let Some(child) = self.processes.get_mut(&id) {
            let Some(status) = child.try_wait()? else { return Ok(()) };
            self.ended_alone.push(format!("node {id} ended by itself: {status}"));
        }
        let mut command = match &self.namespaces {
            Some(namespaces) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &namespaces.name(id)]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        let log: File = OpenOptions::new().create(true).append(true).open(self.log_path(id))?;
        command.args(["node", "--id", &id.to_string(), "--listen", &self.addresses[&id]]);
        for (peer, address) in &self.addresses {
            command.arg("--peer").arg(format!("{peer}={address}"));
        }
        command.arg("--data").arg(self.dir.path().join(format!("node-{id}"))).arg("--pki").arg(self.pki());
        let child = command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        self.processes.insert(id, child);
        Ok(())
    }

    fn signal(&self, id: u64, signal: Signal) {
        if let Some(child) = self.processes.get(&id) {
            // A process that has ended hears nothing; `start_node` tells.
            let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
        }
    }

    /// kill -9.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill_nine(&mut self, id: u64) -> io::Result<()> {
        let Some(mut child) = self.processes.remove(&id) else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            self.ended_alone.push(format!("node {id} ended by itself: {status}"));
            return Ok(());
        }
        child.kill()?;
        child.wait().map(drop)
    }

    /// SIGSTOP.
    pub fn pause(&self, id: u64) {
        self.signal(id, Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn go_on(&self, id: u64) {
        self.signal(id, Signal::SIGCONT);
    }

    /// Cuts the wires between `from` and `to`, where there are namespaces.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn cut(&mut self, wires: &[(u64, u64)]) -> io::Result<()> {
        self.namespaces.as_mut().map_or(Ok(()), |n| n.cut(wires))
    }

    /// Mends them.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn mend(&mut self, wires: &[(u64, u64)]) -> io::Result<()> {
        self.namespaces.as_mut().map_or(Ok(()), |n| n.mend(wires))
    }

    /// Everything works again: wires, stopped and dead processes.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub fn heal(&mut self) -> io::Result<()> {
        if let Some(namespaces) = &mut self.namespaces {
            namespaces.mend_all()?;
        }
        for id in self.ids() {
            self.go_on(id);
            self.start_node(id)?;
        }
        Ok(())
    }

    /// Where callers are, among the wires.
    #[must_use]
    pub const fn outside() -> u64 {
        OUTSIDE
    }

    /// A caller; it asks the nodes in this order.
    ///
    /// # Errors
    /// When its certificate cannot be used.
    pub fn client(&self, principal: &Principal, nodes: &[u64], request_timeout_ms: u64) -> io::Result<CoordinatorClient> {
        let pki = self.pki();
        let read = |name: String| fs::read_to_string(pki.join(name));
        let stem = principal.file_stem();
        CoordinatorClient::connect(ClientConfig {
            endpoints: nodes.iter().filter_map(|id| self.addresses.get(id).cloned()).collect(),
            ca_pem: read("ca.pem".to_owned())?,
            cert_pem: read(format!("{stem}.pem"))?,
            key_pem: read(format!("{stem}.key"))?,
            request_timeout_ms,
        })
        .map_err(io::Error::other)
    }

    /// Panics of the nodes: one in a task does not end its process.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        let of = |id: u64| {
            let text = fs::read_to_string(self.log_path(id)).unwrap_or_default();
            let heard: Vec<_> = text.lines().filter(|line| line.contains("panicked at")).map(|line| format!("node {id}: {line}")).collect();
            heard
        };
        self.ids().into_iter().flat_map(of).collect()
    }

    /// The end of what the nodes printed.
    #[must_use]
    pub fn said(&self) -> String {
        let tail = |path: &Path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        };
        self.ids().into_iter().map(|id| format!("== node {id}\n{}\n", tail(&self.log_path(id)))).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for child in self.processes.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that were free a moment ago.
fn free_addresses() -> io::Result<BTreeMap<u64, String>> {
    // All at once, so that no two are the same.
    let listeners: Vec<_> = (1..=NODES).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    (1..).zip(&listeners).map(|(id, listener)| Ok((id, listener.local_addr()?.to_string()))).collect()
}
