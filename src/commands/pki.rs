//! `picket pki init | issue`.

use picket_coordinator::pki;
use picket_core::ids::{AgentKind, Principal};
use std::path::PathBuf;

/// Certificates and keys.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum PkiCommand {
    /// Makes a CA, a certificate per role, and the permit key.
    Init {
        /// An empty or new folder.
        dir: PathBuf,
        /// Clusters: an observer and an actuator each.
        #[arg(long, value_delimiter = ',', required = true)]
        clusters: Vec<String>,
        /// People who may approve and stop.
        #[arg(long, value_delimiter = ',', default_value = "operator")]
        people: Vec<String>,
        /// Coordinator nodes.
        #[arg(long, default_value_t = 3)]
        nodes: u64,
        /// Names and addresses that the nodes are reached by.
        #[arg(long, value_delimiter = ',', default_value = "localhost,127.0.0.1")]
        hosts: Vec<String>,
    },
    /// Makes certificates for more roles with a CA that is there: a coordinator node that is added, a person, a cluster.
    Issue {
        /// The folder that `picket pki init` made, ca.key included.
        dir: PathBuf,
        /// Whose: node:N, human:NAME, observer:CLUSTER, actuator:CLUSTER, agent:KIND, dashboard, gateway.
        #[arg(required = true)]
        principals: Vec<Principal>,
        /// Names and addresses that nodes are reached by.
        #[arg(long, value_delimiter = ',', default_value = "localhost,127.0.0.1")]
        hosts: Vec<String>,
    },
}

/// Runs it.
///
/// # Errors
/// When the folder holds certificates already or cannot be written.
pub fn run(command: &PkiCommand) -> anyhow::Result<()> {
    let (dir, clusters, people, nodes, hosts) = match command {
        PkiCommand::Init { dir, clusters, people, nodes, hosts } => (dir, clusters, people, nodes, hosts),
        PkiCommand::Issue { dir, principals, hosts } => {
            pki::issue(dir, principals, hosts)?;
            for principal in principals {
                println!("{principal}: {0}.pem and {0}.key in {1}", principal.file_stem(), dir.display());
            }
            return Ok(());
        }
    };
    let mut principals: Vec<_> = (1..=*nodes).map(Principal::Node).collect();
    principals.extend(AgentKind::ALL.map(Principal::Agent));
    principals.extend(clusters.iter().flat_map(|c| [Principal::Observer(c.as_str().into()), Principal::Actuator(c.as_str().into())]));
    principals.extend(people.iter().cloned().map(Principal::Human));
    principals.extend([Principal::Dashboard, Principal::Gateway]);
    pki::init(dir, &principals, hosts)?;
    println!(
        "{} certificates and the permit key are in {}; keep ca.key and permit-signing.key off every machine but the coordinator's",
        principals.len(),
        dir.display()
    );
    Ok(())
}
