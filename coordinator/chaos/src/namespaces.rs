//! A network of its own for each node: `ip netns`, a bridge, and wires that can be cut in one direction.
//!
//! A wire is cut by telling the sender a hardware address that nobody has: packets leave and never arrive, as behind a dead switch, and no
//! firewall or traffic shaping is needed. Needs root.

use nix::sched::{CloneFlags, setns};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

/// Where the callers are.
pub const OUTSIDE: u64 = 254;
/// Nobody has it.
const NOWHERE: &str = "02:00:00:00:00:fe";

const NAMES: &str = "/run/netns";
/// Then the process id of the run, and the place.
const PREFIX: &str = "picket-chaos-";

/// The address of a node, or of the callers.
#[must_use]
pub fn address(place: u64) -> String {
    format!("10.77.0.{place}")
}

fn ip(args: &[&str]) -> io::Result<String> {
    let output = Command::new("ip").args(args).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("ip {}: {why}", args.join(" "))))
}

/// Those of runs that were killed before they could remove them.
fn remove_forgotten() {
    for entry in fs::read_dir(NAMES).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if run.is_some_and(|run| !Path::new("/proc").join(run).exists()) {
            let _ = ip(&["netns", "del", &name]);
        }
    }
}

/// The namespaces of one run; gone when dropped.
#[derive(Debug)]
pub struct Namespaces {
    run: u32,
    nodes: u64,
    cut: BTreeSet<(u64, u64)>,
}

impl Namespaces {
    /// Makes them, each node's wired to the callers' by a bridge.
    ///
    /// # Errors
    /// What `ip` says: no root, or no network namespaces here.
    pub fn make(nodes: u64) -> io::Result<Self> {
        remove_forgotten();
        let made = Self { run: std::process::id(), nodes, cut: BTreeSet::new() };
        let outside = made.name(OUTSIDE);
        ip(&["netns", "add", &outside])?;
        ip(&["-n", &outside, "link", "set", "lo", "up"])?;
        ip(&["-n", &outside, "link", "add", "hub", "type", "bridge"])?;
        ip(&["-n", &outside, "addr", "add", &format!("{}/24", address(OUTSIDE)), "dev", "hub"])?;
        ip(&["-n", &outside, "link", "set", "hub", "up"])?;
        for node in 1..=nodes {
            let (name, wire) = (made.name(node), format!("wire{node}"));
            ip(&["netns", "add", &name])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            ip(&["-n", &outside, "link", "add", &wire, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
            ip(&["-n", &outside, "link", "set", &wire, "master", "hub", "up"])?;
            ip(&["-n", &name, "addr", "add", &format!("{}/24", address(node)), "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        }
        Ok(made)
    }

    /// The namespace of a node, or of the callers.
    #[must_use]
    pub fn name(&self, place: u64) -> String {
        format!("{PREFIX}{}-{place}", self.run)
    }

    /// This process goes where the callers are; to be called while it has one thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn enter(&self) -> io::Result<()> {
        let namespace = File::open(Path::new(NAMES).join(self.name(OUTSIDE)))?;
        setns(namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    fn device(place: u64) -> &'static str {
        if place == OUTSIDE { "hub" } else { "eth0" }
    }

    /// From now on nothing passes on these wires (from, to).
    ///
    /// # Errors
    /// What `ip` says.
    pub fn cut(&mut self, wires: &[(u64, u64)]) -> io::Result<()> {
        for (from, to) in wires {
            let (name, to_address) = (self.name(*from), address(*to));
            ip(&["-n", &name, "neigh", "replace", &to_address, "lladdr", NOWHERE, "dev", Self::device(*from), "nud", "permanent"])?;
            self.cut.insert((*from, *to));
        }
        Ok(())
    }

    /// These wires work again.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn mend(&mut self, wires: &[(u64, u64)]) -> io::Result<()> {
        for wire in wires.iter().filter(|wire| self.cut.contains(wire)).copied().collect::<Vec<_>>() {
            let (from, to) = wire;
            ip(&["-n", &self.name(from), "neigh", "del", &address(to), "dev", Self::device(from)])?;
            self.cut.remove(&wire);
        }
        Ok(())
    }

    /// All wires work again.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn mend_all(&mut self) -> io::Result<()> {
        let cut: Vec<_> = self.cut.iter().copied().collect();
        self.mend(&cut)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for place in (1..=self.nodes).chain([OUTSIDE]) {
            // It may never have been made.
            let _ = ip(&["netns", "del", &self.name(place)]);
        }
    }
}
