//! A real `moto` server, in a virtual environment of its own.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
const START: Duration = Duration::from_secs(60);
/// As if of a signature: moto reads the region and the service from it, and checks nothing.
const ANYBODY: &str = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/SERVICE/aws4_request, SignedHeaders=host, Signature=x";

/// A server; it ends when this is dropped.
pub struct Moto {
    child: Child,
    pub url: String,
    http: reqwest::Client,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let program = program();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        // Another process may take the port before the server does.
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = Command::new(&program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                // Services run as many tasks as they want, so their deployments are complete.
                .env("MOTO_ECS_SERVICE_RUNNING", "3")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("moto_server runs");
            let mut moto = Self { child, url: format!("http://127.0.0.1:{port}"), http: http.clone() };
            if moto.is_up().await {
                return moto;
            }
        }
        panic!("moto_server does not start");
    }

    async fn is_up(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let answer = self.http.get(format!("{}/moto-api/", self.url)).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// An operation of ECS, as somebody else.
    pub async fn ecs(&self, operation: &str, body: &Value) -> Value {
        let request = self.http.post(&self.url).header("authorization", ANYBODY.replace("SERVICE", "ecs"));
        let request = request.header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}"));
        let answer = request.header("content-type", "application/x-amz-json-1.1").body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{operation}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// An action of Auto Scaling, as somebody else.
    pub async fn autoscaling(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = reqwest::Url::parse("http://form/").unwrap();
        form.query_pairs_mut().extend_pairs([("Action", action), ("Version", "2011-01-01")]).extend_pairs(parameters);
        let request = self.http.post(&self.url).header("authorization", ANYBODY.replace("SERVICE", "autoscaling"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.query().unwrap().to_owned());
        let answer = request.send().await.unwrap();
        let (good, text) = (answer.status().is_success(), answer.text().await.unwrap());
        assert!(good, "{action}: {text}");
        text
    }
}

/// The server's program; its environment is made once and kept in the user's cache directory.
fn program() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).expect("a home directory");
    let venv = cache.join("picket").join("venv-moto");
    let requirements = format!("{HERE}/requirements.txt");
    let wanted = std::fs::read(&requirements).expect("tests/python/requirements.txt");
    // Written last: an environment that was interrupted while it was made has none.
    let stamp = venv.join("requirements.installed");
    if !std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        let hint = "install Python 3 with venv (Debian, Ubuntu: `apt-get install python3-venv`)";
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), hint);
        let mut pip = Command::new(venv.join("bin").join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements]);
        run(&mut pip, "pip needs a package index that it can reach");
        std::fs::write(&stamp, wanted).expect("the virtual environment can be written to");
    }
    venv.join("bin").join("moto_server")
}

fn run(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {hint}"));
    assert!(output.status.success(), "{command:?}: {}: {hint}", String::from_utf8_lossy(&output.stderr));
}
