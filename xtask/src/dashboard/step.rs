//! One long step: a line that moves while it runs, and what was said when it fails.

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Lines of a failed command's output that are shown.
const TAIL_LINES: usize = 40;

/// A step under way.
pub struct Step {
    bar: ProgressBar,
    name: String,
    began: std::time::Instant,
}

impl Step {
    /// Begins a step.
    pub fn begin(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        if !std::io::stderr().is_terminal() {
            eprintln!("· {name} …");
        }
        Self { bar, name: name.to_owned(), began: std::time::Instant::now() }
    }

    /// Ends it well.
    pub fn done(&self, remark: &str) {
        self.bar.finish_and_clear();
        let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
        eprintln!("✓ {} ({:.0} s){remark}", self.name, self.began.elapsed().as_secs_f64());
    }

    /// Runs a command to its end, showing its latest line; ends the step.
    ///
    /// # Errors
    /// When it cannot be started or fails; the message carries the end of its output.
    pub fn run(&self, mut command: Command, hint: &str) -> Result<()> {
        self.bar.set_message(hint.to_owned());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{program}` to {}", self.name))?;
        let mut tail = VecDeque::with_capacity(TAIL_LINES);
        let mut compiled = 0_usize;
        for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
            if let Some(what) = line.trim_start().strip_prefix("Compiling ") {
                compiled += 1;
                self.bar.set_message(format!("{compiled}: {what}"));
            }
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line);
        }
        let status = child.wait().with_context(|| format!("`{program}` was lost while it ran"))?;
        if !status.success() {
            self.bar.finish_and_clear();
            bail!("could not {}: `{program}` ended with {status}. The end of what it said:\n{}", self.name, Vec::from(tail).join("\n"));
        }
        self.done("");
        Ok(())
    }
}
