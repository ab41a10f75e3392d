//! `picket backup` and `picket restore`: the coordinator's state, kept elsewhere and begun anew.

use super::{as_person, person};
use crate::roles;
use crate::wiring::Wiring;
use anyhow::{Context as _, bail};
use picket_coordinator::backup::{self, Backup, NewGroup};
use picket_coordinator::pki;
use picket_coordinator::tls::Identity;
use picket_core::coordination::{Command, CoordinatorStatus};
use picket_core::ports::Coordinator as _;
use picket_core::restore::RestoreView;
use std::path::PathBuf;

/// Takes a backup.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupOptions {
    /// Where to; a file of that name is replaced once the new one is whole and on disk.
    file: PathBuf,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// Takes a backup of the coordinator's state at one committed revision, and tells the coordinator once it is on disk.
///
/// # Errors
/// When no node gives one, it is damaged on arrival, or the file cannot be written.
pub async fn back_up(wiring: &Wiring, options: &BackupOptions) -> anyhow::Result<()> {
    let bytes = as_person(wiring)?.backup().await?;
    let head = Backup::from_bytes(&options.file, &bytes).context("what the coordinator sent was not kept")?.head;
    backup::save(&options.file, &bytes)?;
    // Only now: actuators forget what a backup covers.
    super::submit(wiring, Command::BackupTaken { revision: head.revision })
        .await
        .with_context(|| format!("{} is whole, but the coordinator does not know of it yet: take another", options.file.display()))?;
    if options.json {
        return super::print_json(&serde_json::json!({ "file": options.file, "bytes": bytes.len(), "head": head }));
    }
    println!("{}: everything up to revision {}, {} bytes, cluster {}", options.file.display(), head.revision, bytes.len(), head.cluster_id);
    Ok(())
}

/// Begins a new group from a backup, or looks at one that was begun.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct RestoreOptions {
    #[command(subcommand)]
    command: Option<RestoreCommand>,
    /// The backup. The node of `--id` begins a new group with it, alone; others join by `picket member add`.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The new group's first node: one of mesh.coordinators, with an id that the lost group never used (unless the CA is new as well).
    #[arg(long, required = true)]
    id: Option<u64>,
    /// That node's own folder, empty or new; coordinator-ID below mesh.data_dir when left out.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Number of the new life: above that of every life that this coordinator had, also of other restores. One above the backup's when
    /// left out.
    #[arg(long)]
    restore_epoch: Option<u64>,
    /// The cluster that the backup is of, when it comes from under another CA.
    #[arg(long, value_name = "CLUSTER_ID")]
    from_cluster: Option<String>,
    /// Machine output.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum RestoreCommand {
    /// What the restored coordinator still waits for before a person may release it with `picket resume`.
    Status,
    /// Goes on without a cluster's journal, because it is lost: acts that it would have named become unknown, and page.
    Waive {
        /// Whose.
        cluster: String,
        /// On record.
        #[arg(long)]
        why: String,
    },
}

/// Restores, or says how far a restore is.
///
/// # Errors
/// When the backup is damaged or of something else, the order contradicts it, or the coordinator is away or refuses.
pub async fn restore(wiring: &Wiring, options: &RestoreOptions) -> anyhow::Result<()> {
    match &options.command {
        Some(RestoreCommand::Status) => print_status(&as_person(wiring)?.status().await?, options.json),
        Some(RestoreCommand::Waive { cluster, why }) => {
            super::submit(wiring, Command::WaiveJournal { cluster: cluster.as_str().into(), why: why.clone() }).await?;
            print_status(&as_person(wiring)?.status().await?, options.json)
        }
        None => begin(wiring, options),
    }
}

fn begin(wiring: &Wiring, options: &RestoreOptions) -> anyhow::Result<()> {
    let (Some(file), Some(id)) = (&options.file, options.id) else { bail!("name the backup and --id") };
    let by = person();
    // It is the coordinator's own machine that this runs on; still, whoever answers for it must be somebody of this mesh.
    Identity::read(wiring.pki(), &by).with_context(|| format!("{by} answers for the restore, and needs a certificate"))?;
    let address = wiring.config.mesh.coordinators.get(&id).with_context(|| format!("mesh.coordinators has no node {id}"))?;
    let ca = std::fs::read_to_string(wiring.pki().join("ca.pem")).with_context(|| format!("{}: no ca.pem", wiring.pki().display()))?;
    let default_dir = || PathBuf::from(&wiring.config.mesh.data_dir).join(format!("coordinator-{id}"));
    let group = NewGroup {
        id,
        address: address.clone(),
        data_dir: options.data_dir.clone().unwrap_or_else(default_dir),
        pki_dir: wiring.pki().to_owned(),
        settings: roles::coordinator::settings(&wiring.config, pki::is_demonstration(&ca)?),
        by,
        restore_epoch: options.restore_epoch,
        from_cluster: options.from_cluster.clone(),
        at: wiring.now()(),
    };
    let founded = backup::found(backup::read(file)?, &group).with_context(|| format!("nothing was restored from {}", file.display()))?;
    if options.json {
        return super::print_json(&founded);
    }
    println!(
        "node {id} begins life {} with everything up to revision {}. STOP is set, and every agent in Observe.",
        founded.restore_epoch, founded.backup_revision
    );
    if founded.is_permit_key_new {
        println!(
            "The permit-signing key is new: take permit-signing.key to every coordinator, permit-verify.pub to every actuator, and start those again."
        );
    }
    println!("Next: start `picket coordinator --id {id}`, add other nodes (`picket member add`), then follow `picket restore status`.");
    Ok(())
}

fn print_status(status: &CoordinatorStatus, json: bool) -> anyhow::Result<()> {
    if json {
        return super::print_json(
            &serde_json::json!({ "restore_epoch": status.restore_epoch, "now": status.now, "restore": status.restore }),
        );
    }
    let Some(RestoreView { by, since, ready_at, fences_missing, journals_missing, unknown_acts, unknown_acts_total }) = &status.restore
    else {
        println!("life {}: no restore waits for anything", status.restore_epoch);
        return Ok(());
    };
    println!("life {}, restored by {by} at {since}", status.restore_epoch);
    let names = |list: &[picket_core::ids::ClusterName]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut is_ready = true;
    if !fences_missing.is_empty() {
        is_ready = false;
        println!("- fences are not raised in: {} (their actuators do it once they run)", names(fences_missing));
    }
    if !journals_missing.is_empty() {
        is_ready = false;
        println!(
            "- journals are missing of: {} (their actuators send them; one that is lost: `picket restore waive`)",
            names(journals_missing)
        );
    }
    if status.now < *ready_at {
        is_ready = false;
        println!("- acts and cooldowns of the lost life may last for another {:.0} s", ready_at.since_ms(status.now) as f64 / 1000.0);
    }
    if *unknown_acts_total > 0 {
        let listed = unknown_acts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        println!("{unknown_acts_total} acts of the lost life are not in the backup; look at their targets: {listed}");
    }
    if is_ready {
        println!("nothing is missing: `picket resume` releases it");
    }
    Ok(())
}
