//! The folder of a demo run: certificates, tokens, configuration, logs.

use anyhow::Context as _;
use picket_coordinator::pki;
use picket_core::config::{Cluster, Config, Span};
use picket_core::ids::{AgentKind, Principal};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where everything of one run lies.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The run's folder.
    pub dir: PathBuf,
    /// The configuration that every role reads.
    pub config_file: PathBuf,
    /// Each simulated cluster's own door (pages); picket is not told of it.
    pub simulators: BTreeMap<String, String>,
    /// Where the demo's on-call person is paged: held from the start, or a process might take its port meanwhile.
    pub pager: Arc<TcpListener>,
}

fn runs() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("picket").join("demo")
}

/// The configuration of the newest demo, for commands that are given none.
#[must_use]
pub fn current() -> PathBuf {
    runs().join("current").join("picket.yaml")
}

/// Ports that were free: each is held until all are drawn, so that none is drawn twice.
#[derive(Default)]
struct Ports(Vec<TcpListener>);

impl Ports {
    fn address(&mut self) -> anyhow::Result<String> {
        let listener = listen_anywhere()?;
        let address = listener.local_addr()?.to_string();
        self.0.push(listener);
        Ok(address)
    }
}

fn listen_anywhere() -> anyhow::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn token() -> String {
    hex::encode(rand::random::<[u8; 24]>())
}

impl Layout {
    /// Makes the folder with everything in it.
    ///
    /// # Errors
    /// When the disk or the ports refuse.
    pub fn prepare(dir: Option<PathBuf>, clusters: &[String], dashboard_listen: &str) -> anyhow::Result<Self> {
        let dir = dir.unwrap_or_else(|| runs().join(format!("run-{}", std::process::id())));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("{}: an old run cannot be removed", dir.display()))?;
        }
        for part in ["pki", "data", "logs", "secrets", "truth", "pids"] {
            std::fs::create_dir_all(dir.join(part)).with_context(|| format!("{}: cannot be made", dir.display()))?;
        }
        let dir = dir.canonicalize()?;
        let mut config = Config::default();
        // A run is minutes long: an outcome is seen within the minute, and the graph is fresh from the start.
        config.safety.remediation.post_action_monitor_window = Span::from_s(60);
        config.observability.dependency_graph_refresh_interval = Span::from_s(5);
        config.timing.warmup = Span::from_s(20);
        let mut ports = Ports::default();
        let mesh = &mut config.mesh;
        mesh.pki_dir = dir.join("pki").display().to_string();
        mesh.data_dir = dir.join("data").display().to_string();
        mesh.nats_url = format!("nats://{}", ports.address()?);
        mesh.coordinators = (1..=3).map(|id| ports.address().map(|a| (id, a))).collect::<anyhow::Result<_>>()?;
        mesh.otlp_grpc_listen = ports.address()?;
        mesh.otlp_http_listen = ports.address()?;
        mesh.dashboard_listen = dashboard_listen.to_owned();
        let pager = Arc::new(listen_anywhere()?);
        mesh.page_url = format!("http://{}/page", pager.local_addr()?);
        let mut simulators = BTreeMap::new();
        for name in clusters {
            let address = ports.address()?;
            let secrets = dir.join("secrets");
            let file = |kind: &str| -> anyhow::Result<String> {
                let path = secrets.join(format!("{name}-{kind}.token"));
                write_secret(&path, &token())?;
                Ok(path.display().to_string())
            };
            let ingest_token_file = file("ingest")?;
            write_secret(Path::new(&format!("{ingest_token_file}{}", crate::roles::gateway::REPLAY_TOKEN_SUFFIX)), &token())?;
            mesh.clusters.push(Cluster {
                name: name.clone(),
                api_url: format!("http://{address}"),
                read_token_file: file("read")?,
                write_token_file: file("write")?,
                ingest_token_file,
                simulated: true,
                ..Cluster::default()
            });
            simulators.insert(name.clone(), ports.address()?);
        }
        pki::init_demo(&dir.join("pki"), &principals(clusters), &["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let config_file = dir.join("picket.yaml");
        std::fs::write(&config_file, serde_saphyr::to_string(&config)?)?;
        Ok(Self { dir, config_file, simulators, pager })
    }

    /// From now on `picket` without `--config` means this run.
    ///
    /// # Errors
    /// When the link cannot be made.
    pub fn make_current(&self) -> anyhow::Result<()> {
        let link = runs().join("current");
        std::fs::create_dir_all(runs())?;
        if link.is_symlink() {
            std::fs::remove_file(&link)?;
        }
        symlink(&self.dir, &link).with_context(|| format!("{}: cannot be made", link.display()))
    }

    /// The file with a cluster's ground truth.
    #[must_use]
    pub fn truth_file(&self, cluster: &str) -> PathBuf {
        Self::truth_in(&self.dir, cluster)
    }

    /// The same, of the run in `dir`.
    #[must_use]
    pub fn truth_in(dir: &Path, cluster: &str) -> PathBuf {
        dir.join("truth").join(format!("{cluster}.jsonl"))
    }

    /// The log of one part.
    #[must_use]
    pub fn log_file(&self, part: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{part}.log"))
    }
}

fn principals(clusters: &[String]) -> Vec<Principal> {
    let mut all: Vec<_> = (1..=3).map(Principal::Node).collect();
    all.extend(AgentKind::ALL.map(Principal::Agent));
    for name in clusters {
        all.push(Principal::Observer(name.as_str().into()));
        all.push(Principal::Actuator(name.as_str().into()));
    }
    all.extend([Principal::Human(super::OPERATOR.into()), Principal::Dashboard, Principal::Gateway]);
    all
}
