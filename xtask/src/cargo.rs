//! Cargo, called by a program that cargo runs.

use std::process::Command;

/// A cargo command. What cargo tells this program about this program's own package is taken out: build scripts that look at it (ring's
/// does) would build everything above them again whenever a command is typed by hand in between.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let about_this = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if about_this {
            command.env_remove(name);
        }
    }
    command
}
