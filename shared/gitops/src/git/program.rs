//! One run of the program.

use super::{Access, Failure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// What git may say at most before it is ended: nothing that is asked here comes near it.
const OUTPUT_MAX_BYTES: u64 = 64 << 20;
/// How much of its complaints is kept.
const COMPLAINT_MAX_BYTES: u64 = 4096;
/// Variables of the process that git needs or may use; everything else is kept from it.
const PASSED_ON: [&str; 5] = ["PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
/// Settings that no repository and no user may change.
const FIXED: [&str; 6] = [
    "gc.auto=0",
    "maintenance.auto=false",
    "core.hooksPath=/dev/null",
    // A token must not follow a redirect to another host.
    "http.followRedirects=false",
    "protocol.version=2",
    "advice.objectNameWarning=false",
];

/// The program, as one repository needs it.
#[derive(Debug)]
pub(crate) struct Git {
    folder: PathBuf,
    access: Access,
    timeout: Duration,
}

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Run<'a> {
    /// `-c` settings beside the fixed ones.
    pub settings: Vec<String>,
    /// Arguments, the command first. What comes from data stands behind `--` or was checked.
    pub args: Vec<&'a str>,
    /// What it reads.
    pub input: Option<&'a [u8]>,
    /// Variables beside the fixed ones.
    pub variables: Vec<(&'a str, String)>,
}

impl<'a> Run<'a> {
    /// With these arguments alone.
    pub(crate) fn of(args: &[&'a str]) -> Self {
        Self { args: args.to_vec(), ..Self::default() }
    }
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it said.
    pub stdout: Vec<u8>,
    /// What it complained of, printable and short.
    pub stderr: String,
}

impl Git {
    /// `folder` is the bare repository that it works in; each run must end within `timeout`.
    pub(crate) const fn new(folder: PathBuf, access: Access, timeout: Duration) -> Self {
        Self { folder, access, timeout }
    }

    /// The bare repository.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs it to its end, whatever its exit code.
    pub(crate) async fn ended(&self, run: Run<'_>) -> Result<Ended, Failure> {
        let mut child = self.command(&run).spawn().map_err(|e| Failure::NotStarted(e.to_string()))?;
        let _group = Group::of(&child);
        match tokio::time::timeout(self.timeout, finish(&mut child, run.input.unwrap_or_default())).await {
            Ok(ended) => ended,
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Runs it, and gives what it said when its exit code was 0.
    pub(crate) async fn said(&self, run: Run<'_>) -> Result<Vec<u8>, Failure> {
        let ended = self.ended(run).await?;
        if ended.code == 0 { Ok(ended.stdout) } else { Err(Failure::Ended { code: ended.code, stderr: ended.stderr }) }
    }

    /// As [`Git::said`], as text without the last line's end.
    pub(crate) async fn line(&self, run: Run<'_>) -> Result<String, Failure> {
        let said = self.said(run).await?;
        Ok(String::from_utf8_lossy(&said).trim_end_matches('\n').to_owned())
    }

    fn command(&self, run: &Run<'_>) -> Command {
        let mut command = Command::new("git");
        command.env_clear().current_dir(&self.folder).kill_on_drop(true).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", &self.folder).env("GIT_DIR", &self.folder);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_LITERAL_PATHSPECS", "1").env("GIT_NO_REPLACE_OBJECTS", "1").env("LC_ALL", "C");
        command.envs(self.access.variables()).envs(run.variables.iter().map(|(name, value)| (name, value)));
        for setting in FIXED.into_iter().chain(run.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.args(&run.args);
        command
    }
}

async fn finish(child: &mut Child, input: &[u8]) -> Result<Ended, Failure> {
    let broken = |e: std::io::Error| Failure::NotStarted(e.to_string());
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin.take() {
            // It may end without reading all: its exit code tells.
            drop(stdin.write_all(input).await);
        }
    };
    let read = async {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(OUTPUT_MAX_BYTES + 1).read_to_end(&mut said).await?;
        }
        Ok::<_, std::io::Error>(said)
    };
    let listen = async {
        let mut complaint = Vec::new();
        if let Some(mut stderr) = stderr {
            (&mut stderr).take(COMPLAINT_MAX_BYTES).read_to_end(&mut complaint).await?;
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(complaint)
    };
    // Too much output ends the wait at once: the rest is not waited for.
    let both = async {
        let ((), said, complaint) = tokio::join!(write, read, listen);
        Ok::<_, std::io::Error>((said?, complaint?))
    };
    let (stdout, complaint) = both.await.map_err(broken)?;
    if stdout.len() as u64 > OUTPUT_MAX_BYTES {
        return Err(Failure::TooMuch);
    }
    let status = child.wait().await.map_err(broken)?;
    Ok(Ended { code: status.code().unwrap_or(-1), stdout, stderr: printable(&complaint) })
}

/// One line without control characters.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ").chars().filter(|c| !c.is_control()).collect()
}

/// Git's helpers (ssh, the transport) are ended with it, also when nobody waits any more. They are asked to end, so that they take their
/// locks away: over `file://` the server's side is among them.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already: nothing to end.
            _ = killpg(group, Signal::SIGTERM);
        }
    }
}
