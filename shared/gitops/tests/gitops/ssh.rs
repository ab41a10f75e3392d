//! Over ssh, with a server of its own on a port of its own.

use crate::repository::{CART, NOW, Repository, cart, scale};
use picket_core::ports::{PortError, Proof, RemediationExecutor as _};
use picket_core::scope::FencingToken;
use picket_executor_conformance::claimed;
use picket_gitops::GitOpsSettings;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Sshd {
    server: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn key(at: &Path) -> String {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at).status().unwrap();
    assert!(made.success());
    std::fs::read_to_string(format!("{}.pub", at.display())).unwrap()
}

fn account() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Started anew on another port while somebody else takes the one that was free.
fn sshd(folder: &Path) -> Sshd {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nPidFile none\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\nPermitRootLogin prohibit-password\n",
            folder.display()
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|p| Path::new(p).is_file());
        let program = program.expect("sshd (Debian: openssh-server) is needed by this test");
        // Its folder for privilege separation, which the package's service would make.
        drop(std::fs::create_dir_all("/run/sshd"));
        let log = std::fs::File::create(folder.join("sshd.log")).unwrap();
        let mut server = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Sshd { server, port };
            }
            let log = || std::fs::read_to_string(folder.join("sshd.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "sshd does not listen: {}", log());
            if server.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
    }
}

fn settings(repository: &Repository, port: u16, folder: &Path) -> GitOpsSettings {
    let mut settings = repository.settings();
    let entry = &mut settings.entries[0];
    entry.repository = format!("ssh://{}@127.0.0.1:{port}{}", account(), repository.bare().display());
    entry.ssh_key_file = folder.join("client").display().to_string();
    entry.known_hosts_file = folder.join("known hosts").display().to_string();
    settings
}

#[tokio::test]
async fn an_act_goes_over_ssh_with_the_configured_keys_alone() {
    let repository = Repository::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (host, client) = (key(&folder.join("host")), key(&folder.join("client")));
    key(&folder.join("stranger"));
    std::fs::write(folder.join("authorized"), client).unwrap();
    let sshd = sshd(folder);
    std::fs::write(folder.join("known hosts"), format!("[127.0.0.1]:{} {host}", sshd.port)).unwrap();
    let good = settings(&repository, sshd.port, folder);

    let executor = repository.executor_with(&good, "state");
    let before =
        executor.prepare(&scale(5)).await.unwrap_or_else(|e| panic!("{e}; {}", std::fs::read_to_string(folder.join("sshd.log")).unwrap()));
    let receipt = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert_eq!(repository.show(CART).unwrap(), cart(2, 5));
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Effect(receipt));
    executor.fence_all(FencingToken(9)).await.unwrap();
    let fresh = executor.prepare(&scale(6)).await.unwrap();
    repository.commit("by hand", &[(CART, &cart(2, 4))]);
    let stale = executor.execute(&claimed("act-2", &scale(6), 10), &fresh, NOW).await;
    assert!(matches!(stale, Err(PortError::Conflict { .. })), "{stale:?}");
    drop(executor);

    let mut stranger = good.clone();
    stranger.entries[0].ssh_key_file = folder.join("stranger").display().to_string();
    let answer = repository.executor_with(&stranger, "stranger").prepare(&scale(5)).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("Permission denied")), "{answer:?}");
    std::fs::write(folder.join("known hosts"), "").unwrap();
    let answer = repository.executor_with(&good, "unknown").prepare(&scale(5)).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("Host key verification failed")), "{answer:?}");
    drop(sshd);
    let answer = repository.executor_with(&good, "away").prepare(&scale(5)).await;
    assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{answer:?}");
    let proof = repository.executor_with(&good, "away").prove(&"act-2".into(), FencingToken(10), &scale(6), &fresh, NOW).await;
    assert!(matches!(proof, Err(PortError::Unavailable { .. })), "{proof:?}");
}
