//! A lock server as a child process, for the conformance suites: on a free port, with a data folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const READY: Duration = Duration::from_secs(60);
/// A port that was free may be taken by the time the server listens on it.
const STARTS_MAX: u32 = 5;

/// A running server. Dropping it kills it and removes its data.
pub struct ServerChild {
    child: Child,
    folder: tempfile::TempDir,
    ports: Vec<u16>,
}

/// What to run.
pub struct ServerProgram {
    /// Its name on the PATH.
    pub program: &'static str,
    /// The Debian package that it comes with.
    pub debian: &'static str,
    /// How many ports it needs.
    pub ports: usize,
    /// Its arguments, from its data folder and its ports.
    pub arguments: fn(&Path, &[u16]) -> Vec<String>,
}

impl ServerChild {
    /// Starts a server and asks until `is_ready` says yes. `files` are put into its folder first.
    ///
    /// # Panics
    /// When the program is not installed or does not start: a suite that needs a server never passes without one.
    pub async fn start(server: &ServerProgram, files: &[(&str, &str)], is_ready: impl AsyncFn(&[u16]) -> bool) -> Self {
        let mut log = String::new();
        for _ in 0..STARTS_MAX {
            let mut started = Self::spawn(server, files);
            let deadline = Instant::now() + READY;
            while Instant::now() < deadline && !started.has_ended() {
                if is_ready(&started.ports).await {
                    return started;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            log = std::fs::read_to_string(started.folder.path().join("log")).unwrap_or_default();
        }
        panic!("{} did not start; the end of its log: {}", server.program, &log[log.floor_char_boundary(log.len().saturating_sub(2000))..]);
    }

    fn spawn(server: &ServerProgram, files: &[(&str, &str)]) -> Self {
        let program = find(server.program).unwrap_or_else(|| {
            panic!("{} is not installed: `apt-get install {}` (`cargo xtask test` does it)", server.program, server.debian)
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file in it");
        }
        let ports = free_ports(server.ports);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let child = Command::new(program)
            .args((server.arguments)(folder.path(), &ports))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the server's process");
        Self { child, folder, ports }
    }

    /// The port of that number.
    pub fn port(&self, index: usize) -> u16 {
        self.ports[index]
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ServerChild {
    fn drop(&mut self) {
        self.kill();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Ports that nobody listens on now, all different.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("its address").port()).collect()
}
