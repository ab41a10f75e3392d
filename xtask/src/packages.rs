//! The system packages that picket needs, installed where that can be done without asking.

use anyhow::{Context as _, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program and the Debian package that it comes with.
#[derive(Copy, Clone)]
pub struct Package {
    program: &'static str,
    debian: &'static str,
    why: &'static str,
}

/// The bus.
pub const NATS: Package = Package { program: "nats-server", debian: "nats-server", why: "the telemetry bus" };
/// The browser of the dashboard's test.
pub const CHROMIUM: Package = Package { program: "chromium", debian: "chromium", why: "the dashboard's test" };
/// Runs the browser test's script and fetches its driver.
pub const NODE: Package = Package { program: "node", debian: "nodejs", why: "the dashboard's test" };
/// Fetches the browser's driver.
pub const NPM: Package = Package { program: "npm", debian: "npm", why: "the dashboard's test" };
/// The OpenTelemetry SDK that the gateway is tested with, and one way to the embedding model.
pub const PYTHON: Package = Package { program: "python3", debian: "python3", why: "the OpenTelemetry SDK test" };
/// The server of an outer lock's conformance suite.
pub const ETCD: Package = Package { program: "etcd", debian: "etcd-server", why: "the test of the outer lock on etcd" };
/// The server of an outer lock's conformance suite.
pub const REDIS: Package = Package { program: "redis-server", debian: "redis-server", why: "the test of the outer lock on Redis" };
/// The program that makes changes by commits.
pub const GIT: Package = Package { program: "git", debian: "git", why: "changes by commits" };
/// The server that commits go to over ssh, in a test.
pub const SSHD: Package = Package { program: "sshd", debian: "openssh-server", why: "the test of commits over ssh" };
/// Fetches over HTTPS.
pub const CURL: Package = Package { program: "curl", debian: "curl", why: "fetching the embedding model" };
/// Networks of their own for real processes.
pub const IPROUTE: Package = Package { program: "ip", debian: "iproute2", why: "partitions in the coordinator's chaos test" };

/// Where programs lie that are not on everybody's PATH.
const MORE_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/usr/sbin"];

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// True when a program can be found.
pub fn is_there(program: &str) -> bool {
    find(program).is_some()
}

/// Installs what is missing, or says which packages to install.
///
/// # Errors
/// When something is missing and cannot be installed from here.
pub fn ensure(wanted: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|p| !is_there(p.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|p| p.debian).collect();
    let list = missing.iter().map(|p| format!("{} (for {})", p.debian, p.why)).collect::<Vec<_>>().join(", ");
    install(&names, &list)?;
    match missing.iter().find(|p| !is_there(p.program)) {
        Some(package) => bail!("{} was installed, but `{}` is still not there", package.debian, package.program),
        None => Ok(()),
    }
}

/// Makes sure that Python can make virtual environments: those of the OpenTelemetry SDK and of `moto`, which stands for AWS. Debian packs what
/// that takes by itself, without a program of its own.
///
/// # Errors
/// When it cannot, and what is missing cannot be installed from here.
pub fn ensure_venv() -> anyhow::Result<()> {
    if can_make_venvs() {
        return Ok(());
    }
    install(&["python3-venv"], "python3-venv (for the tests that run Python packages)")?;
    if can_make_venvs() { Ok(()) } else { bail!("python3-venv was installed, but `python3 -m venv` still cannot work") }
}

fn can_make_venvs() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn install(names: &[&str], list: &str) -> anyhow::Result<()> {
    if !is_there("apt-get") {
        bail!("please install these programs with your system's package manager: {list}");
    }
    let sudo: &[&str] = match (is_root(), is_there("sudo")) {
        (true, _) => &[],
        (false, true) => &["sudo"],
        (false, false) => bail!("please install as root: apt-get install {}", names.join(" ")),
    };
    println!("installing {list}");
    apt(sudo, &["update", "-q"])?;
    apt(sudo, &[&["install", "-y", "-q", "--no-install-recommends"], names].concat())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

fn apt(sudo: &[&str], args: &[&str]) -> anyhow::Result<()> {
    let all: Vec<_> = sudo.iter().chain(&["apt-get"]).chain(args).copied().collect();
    let status = Command::new(all[0]).args(&all[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("`{}` cannot be run", all.join(" ")))?;
    if status.success() { Ok(()) } else { bail!("`{}` ended with {status}", all.join(" ")) }
}
