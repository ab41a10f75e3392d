//! The log on a disk that fails: what was found by seeds, once more by itself.

use crate::disk::{Platters, Temper};
use crate::executor;
use crate::host::{DiskLog, SimConfig};
use openraft::RaftLogReader as _;
use openraft::entry::RaftEntry as _;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use picket_coordinator::log::LogError;
use picket_coordinator::raft::{Entry, LogId};
use std::future::Future;
use std::ops::Range;
use std::path::Path;

fn in_run(work: impl Future<Output = ()> + Send + 'static) {
    executor::run(1, 1_000_000, work).unwrap();
}

async fn open(platters: &Platters) -> Result<DiskLog, LogError> {
    DiskLog::open_on(platters.mount(), Path::new("/data"), 64 << 10).await
}

fn id(index: u64) -> LogId {
    openraft::testing::log_id::<SimConfig>(1, 1, index)
}

fn entries(range: Range<u64>) -> Vec<Entry> {
    range.map(|i| Entry::new_blank(id(i))).collect()
}

async fn indexes(log: &mut DiskLog) -> Vec<u64> {
    log.try_get_log_entries(..).await.unwrap().iter().map(|e| e.log_id.index).collect()
}

/// A process that died left entries in the page cache, synced or marked clean by a failed sync. What the next life reads it answers for.
#[test]
fn what_a_new_life_reads_survives_a_power_failure() {
    for sync_fails in [false, true] {
        in_run(async move {
            let platters = Platters::new(1, 3);
            let mut log = open(&platters).await.unwrap();
            log.blocking_append(entries(0..3)).await.unwrap();
            platters.set_temper(Temper { fail_next_sync: sync_fails, sync_us_min: 5_000, sync_us_max: 5_000, ..Temper::CALM });
            let (appended, mut dying) = (executor::elapsed_ms(), log.clone());
            executor::spawn_for(executor::WORLD, async move { drop(dying.blocking_append(entries(3..5)).await) });
            // Without a failure the process dies before the sync is through.
            executor::sleep_ms(if sync_fails { 20 } else { 2 }).await;
            assert!(executor::elapsed_ms() > appended);
            platters.die(false);
            platters.set_temper(Temper::CALM);

            let mut log = open(&platters).await.unwrap();
            let read = indexes(&mut log).await;
            assert_eq!(read, [0, 1, 2, 3, 4], "the page cache has them");
            log.blocking_append(entries(5..6)).await.unwrap();
            platters.die(true);
            let mut log = open(&platters).await.unwrap();
            assert_eq!(indexes(&mut log).await, [0, 1, 2, 3, 4, 5], "sync failed: {sync_fails}");
        });
    }
}

#[test]
fn a_log_that_failed_leaves_no_hint_of_what_it_could_not_write() {
    in_run(async {
        let platters = Platters::new(1, 5);
        let mut log = open(&platters).await.unwrap();
        log.blocking_append(entries(0..3)).await.unwrap();
        platters.set_temper(Temper { fail_next_sync: true, ..Temper::CALM });
        assert!(log.blocking_append(entries(3..5)).await.is_err());
        // The others have it, so it is committed all the same.
        log.save_committed(Some(id(4))).await.unwrap();
        executor::sleep_ms(10).await;
        platters.die(true);
        let mut log = open(&platters).await.unwrap();
        assert!(indexes(&mut log).await.starts_with(&[0, 1, 2]));
    });
}

/// Whatever a power failure leaves, the log opens, keeps what was acknowledged, and has no holes.
#[test]
fn acknowledged_entries_survive_any_tear() {
    for seed in 0..200 {
        in_run(async move {
            let platters = Platters::new(1, seed);
            let mut log = open(&platters).await.unwrap();
            let mut acknowledged = 0;
            for round in 0..4 {
                log.blocking_append(entries(acknowledged..acknowledged + 7)).await.unwrap();
                acknowledged += 7;
                let (mut dying, from) = (log.clone(), acknowledged);
                platters.set_temper(Temper { sync_us_min: 5_000, sync_us_max: 5_000, ..Temper::CALM });
                executor::spawn_for(executor::WORLD, async move { drop(dying.blocking_append(entries(from..from + 9)).await) });
                executor::sleep_ms(1).await;
                platters.die(true);
                platters.set_temper(Temper::CALM);
                log = open(&platters).await.unwrap_or_else(|e| panic!("seed {seed}, round {round}: {e}"));
                let read = indexes(&mut log).await;
                assert!(read.len() as u64 >= acknowledged, "seed {seed}, round {round}: {read:?}");
                assert_eq!(read, (0..read.len() as u64).collect::<Vec<_>>());
                acknowledged = read.len() as u64;
            }
        });
    }
}
