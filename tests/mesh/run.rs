//! A demo run as a child process, and what a test may ask of it.

use picket::wiring::Wiring;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::Principal;
use picket_core::ports::Coordinator as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Two meshes at once would starve each other on two cores: each test that runs one holds this.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other test runs a mesh.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The built binary.
pub fn picket() -> Command {
    Command::new(env!("CARGO_BIN_EXE_picket"))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running demo; dropping it ends it.
pub struct DemoRun {
    child: Child,
    folder: tempfile::TempDir,
    pub dashboard: String,
    _alone: MutexGuard<'static, ()>,
}

impl DemoRun {
    /// Starts one that runs until it is dropped.
    pub fn start(scenario: &str, seed: u64) -> Self {
        Self::start_with(scenario, seed, &[])
    }

    /// The same, with these variables in the environment of every part.
    pub fn start_with(scenario: &str, seed: u64, variables: &[(&str, &Path)]) -> Self {
        let alone = alone();
        _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let dashboard = format!("127.0.0.1:{}", free_port());
        let log = std::fs::File::create(folder.path().join("demo.log")).unwrap();
        let child = picket()
            .args(["demo", "--scenario", scenario, "--seed", &seed.to_string(), "--seconds", "300", "--listen", &dashboard, "--dir"])
            .arg(folder.path().join("run"))
            .env("PICKET_SUPERVISED", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder, dashboard, _alone: alone }
    }

    /// The run's folder.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// What the demo printed, for the message of a failed assertion.
    pub fn said(&self) -> String {
        let mut said = std::fs::read_to_string(self.folder.path().join("demo.log")).unwrap_or_default();
        for entry in std::fs::read_dir(self.dir().join("logs")).into_iter().flatten().filter_map(Result::ok) {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let tail: Vec<_> = text.lines().rev().take(5).collect();
            said += &format!("\n== {}\n{}", entry.file_name().display(), tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        said
    }

    /// The coordinator in the operator's name, once it answers.
    pub async fn operator(&self) -> CoordinatorClient {
        let config = self.dir().join("picket.yaml");
        let client = self
            .until("the configuration is written", Duration::from_secs(90), async || {
                // Certificates are written before the configuration.
                let wiring = config.exists().then(|| Wiring::load(&config).ok()).flatten()?;
                wiring.coordinator(&Principal::Human("operator".into())).ok()
            })
            .await;
        self.until("the coordinator answers", Duration::from_secs(60), async || client.status().await.ok()).await;
        client
    }

    /// Waits for something, with a deadline.
    pub async fn until<T>(&self, what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let end = Instant::now() + within;
        let mut beat = tokio::time::interval(Duration::from_millis(100));
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < end, "after {} s still not so: {what}\n{}", within.as_secs(), self.said());
            beat.tick().await;
        }
    }

    /// The newest state of the only act on the ledger, when there is one.
    pub async fn act(&self, operator: &CoordinatorClient) -> Option<LedgerEntry> {
        operator.entries(10).await.ok()?.into_iter().find(|e| e.parent.is_none() && !e.history.is_empty())
    }

    /// kill -9.
    pub fn kill_nine(&self, part: &str) {
        let pid = std::fs::read_to_string(self.dir().join("pids").join(part)).unwrap_or_else(|e| panic!("no process {part}: {e}"));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    /// A command of this run.
    pub fn command(&self, args: &[&str]) -> Output {
        picket().arg("--config").arg(self.dir().join("picket.yaml")).args(args).output().unwrap()
    }

    /// An object of a simulated cluster, by the actuator's credentials: the observer's only list.
    pub async fn object(&self, cluster: &str, path: &str) -> serde_json::Value {
        let wiring = Wiring::load(&self.dir().join("picket.yaml")).unwrap();
        let cluster = wiring.cluster(cluster).unwrap();
        let token = std::fs::read_to_string(Path::new(&cluster.write_token_file)).unwrap();
        let answer = reqwest::Client::new().get(format!("{}{path}", cluster.api_url)).bearer_auth(token.trim()).send().await.unwrap();
        answer.json().await.unwrap()
    }
}

impl Drop for DemoRun {
    fn drop(&mut self) {
        // Its standard input closes: it ends its children and itself.
        drop(self.child.stdin.take());
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::yield_now();
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
