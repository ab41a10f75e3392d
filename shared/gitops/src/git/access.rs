//! How a repository is reached. Secrets stay in their files: git and ssh read them there.

use crate::settings::{GitOpsEntry, Transport};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Answers git's question for a user name, and for a password with the token's file. Nothing secret stands in it.
const ASKPASS: &str =
    "#!/bin/sh\ncase \"$1\" in\n  Username*) printf '%s\\n' \"$PICKET_GIT_USER\" ;;\n  *) cat \"$PICKET_GIT_TOKEN_FILE\" ;;\nesac\n";

/// The variables by which git reaches one repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    variables: Vec<(String, String)>,
}

impl Access {
    /// From checked settings; `folder` takes the small program that hands git the token.
    pub(crate) fn of(entry: &GitOpsEntry, transport: Transport, folder: &Path) -> std::io::Result<Self> {
        let mut variables = vec![("GIT_ALLOW_PROTOCOL".to_owned(), transport.as_str().to_owned())];
        match transport {
            Transport::File => {}
            Transport::Ssh => {
                variables.push(("GIT_SSH_COMMAND".to_owned(), ssh_command(&entry.ssh_key_file, &entry.known_hosts_file)));
                variables.push(("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned()));
            }
            Transport::Https => {
                let program = folder.join("askpass");
                write_program(&program)?;
                variables.push(("GIT_ASKPASS".to_owned(), program.display().to_string()));
                variables.push(("PICKET_GIT_USER".to_owned(), entry.https_user.clone()));
                variables.push(("PICKET_GIT_TOKEN_FILE".to_owned(), entry.https_token_file.clone()));
                if !entry.https_ca_file.is_empty() {
                    variables.push(("GIT_SSL_CAINFO".to_owned(), entry.https_ca_file.clone()));
                }
            }
        }
        Ok(Self { variables })
    }

    /// The variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Git hands this to a shell, so the paths are quoted; the settings' check lets no quote through.
fn ssh_command(key: &str, known_hosts: &str) -> String {
    let options = [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=5",
    ];
    let options: String = options.iter().map(|option| format!(" -o {option}")).collect();
    format!("ssh -F /dev/null -i '{key}'{options} -o UserKnownHostsFile='\"{known_hosts}\"'")
}

fn write_program(at: &Path) -> std::io::Result<()> {
    // Anew under another name: a program that runs is not written into.
    let fresh = at.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(&fresh)?;
    file.write_all(ASKPASS.as_bytes())?;
    drop(file);
    std::fs::rename(&fresh, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Git, Run};
    use std::time::Duration;

    #[tokio::test]
    async fn the_token_reaches_git_from_its_file_and_stands_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("the token");
        std::fs::write(&token_file, "s3cret\n").unwrap();
        let entry =
            GitOpsEntry { https_user: "picket-bot".into(), https_token_file: token_file.display().to_string(), ..GitOpsEntry::default() };
        let access = Access::of(&entry, Transport::Https, folder.path()).unwrap();
        assert!(!format!("{access:?}").contains("s3cret"));
        let git = Git::new(folder.path().to_owned(), access, Duration::from_secs(10));
        let asked = b"protocol=https\nhost=git.example.com\n\n";
        let said = git.said(Run { input: Some(asked), ..Run::of(&["credential", "fill"]) }).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("username=picket-bot\n") && said.contains("password=s3cret\n"), "{said}");
    }
}
