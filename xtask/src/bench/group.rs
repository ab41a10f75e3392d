//! Three processes of one service, each with its data in a folder of its own.

use anyhow::{Context as _, bail};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a group may take until it serves.
const READY: Duration = Duration::from_secs(60);

/// A service of three processes.
pub struct Group {
    /// Logs and data.
    pub folder: PathBuf,
    /// Each process's command, without its output.
    commands: Vec<Box<dyn Fn() -> Command>>,
    children: Vec<Child>,
}

impl Group {
    /// Starts one process per command.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn start(folder: PathBuf, commands: Vec<Box<dyn Fn() -> Command>>) -> anyhow::Result<Self> {
        let mut group = Self { folder, commands, children: Vec::new() };
        for index in 0..group.commands.len() {
            let child = group.spawn(index)?;
            group.children.push(child);
        }
        Ok(group)
    }

    fn spawn(&self, index: usize) -> anyhow::Result<Child> {
        let path = self.folder.join(format!("{}.log", index + 1));
        let log = File::options().create(true).append(true).open(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
        let mut command = (self.commands[index])();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| format!("{:?} cannot be run", command.get_program()))
    }

    /// Process ids, in order.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Asks until `is_ready`.
    ///
    /// # Errors
    /// When a process ended, or it took too long.
    pub fn wait_until(&mut self, what: &str, mut is_ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let until = Instant::now() + READY;
        while !is_ready() {
            for (index, child) in self.children.iter_mut().enumerate() {
                if let Some(status) = child.try_wait()? {
                    bail!("process {} ended with {status} (its log is in {})", index + 1, self.folder.display());
                }
            }
            if Instant::now() > until {
                bail!("{what}: not within {} s (logs in {})", READY.as_secs(), self.folder.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Starts again whatever was killed, and says which those were.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn restart_the_dead(&mut self) -> anyhow::Result<Vec<usize>> {
        let mut dead = Vec::new();
        for index in 0..self.children.len() {
            if self.children[index].try_wait()?.is_some() {
                self.children[index] = self.spawn(index)?;
                dead.push(index);
            }
        }
        Ok(dead)
    }

    /// SIGKILL to one, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.children[index].kill()?;
        self.children[index].wait()?;
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Addresses that nobody listens on now, all different.
///
/// # Errors
/// When the system has none left.
pub fn free_addresses(count: usize) -> anyhow::Result<Vec<String>> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>().context("no free port")?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}

/// An empty folder.
///
/// # Errors
/// When it cannot be made.
pub fn empty_folder(path: &Path) -> anyhow::Result<PathBuf> {
    if path.exists() {
        std::fs::remove_dir_all(path).with_context(|| format!("{}: cannot be removed", path.display()))?;
    }
    std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    Ok(path.canonicalize()?)
}
