//! Damage anywhere: what was committed is read back, or the node does not start and says where.

use super::{DiskLog, LogError};
use crate::disk::Files;
use crate::raft::{Entry, LogId, TypeConfig, Vote};
use openraft::RaftLogReader as _;
use openraft::entry::RaftEntry as _;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::fs;
use std::path::{Path, PathBuf};

/// Small, so that there are several files.
const SEGMENT_BYTES: u64 = 900;
const ENTRIES: u64 = 40;
const LOGS: u64 = 8;
const DAMAGES_OF_EACH: u32 = 60;

/// What must be read back.
struct Promised {
    vote: Vote,
    purged: u64,
    committed: u64,
}

fn id(index: u64) -> LogId {
    openraft::testing::log_id::<TypeConfig>(1, 1, index)
}

async fn open(dir: &Path) -> Result<DiskLog, LogError> {
    DiskLog::open_on(Files, dir, SEGMENT_BYTES).await
}

/// Batches of different lengths, a conflict that was taken back, a purge, and some entries that are not committed.
async fn write(dir: &Path, rng: &mut SmallRng) -> Promised {
    let mut log = open(dir).await.unwrap();
    let vote = Vote::new(7, 2);
    log.save_vote(&vote).await.unwrap();
    let mut next = 0;
    let mut conflict = true;
    while next < ENTRIES {
        let until = (next + rng.random_range(1..5)).min(ENTRIES);
        log.blocking_append((next..until).map(|index| Entry::new_blank(id(index)))).await.unwrap();
        next = until;
        if conflict && next > ENTRIES / 2 {
            conflict = false;
            next -= 3;
            log.truncate_after(Some(id(next - 1))).await.unwrap();
        }
    }
    let purged = rng.random_range(0..ENTRIES / 2);
    let committed = ENTRIES - 1 - rng.random_range(0..4);
    log.save_committed(Some(id(committed))).await.unwrap();
    log.purge(id(purged)).await.unwrap();
    log.close();
    Promised { vote, purged, committed }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.ends_with("lock") && path.metadata().unwrap().len() > 0);
    paths.sort();
    paths
}

fn damage(bytes: &mut Vec<u8>, rng: &mut SmallRng) -> (usize, String) {
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..4) {
        0 | 1 => {
            let bit = rng.random_range(0..8);
            bytes[at] ^= 1 << bit;
            (at, format!("bit {bit} of byte {at}"))
        }
        2 => {
            let end = (at + rng.random_range(1..600)).min(bytes.len());
            bytes[at..end].fill(if rng.random_bool(0.5) { 0 } else { 0xff });
            (at, format!("bytes {at}..{end}"))
        }
        _ => {
            bytes.truncate(at);
            (at, format!("everything from byte {at}"))
        }
    }
}

#[tokio::test]
async fn no_damage_loses_what_was_committed_silently() {
    let (mut refused, mut opened) = (0, 0);
    for seed in 0..LOGS {
        let mut rng = SmallRng::seed_from_u64(seed);
        let whole = tempfile::tempdir().unwrap();
        let promised = write(whole.path(), &mut rng).await;
        for _ in 0..DAMAGES_OF_EACH {
            let dir = tempfile::tempdir().unwrap();
            let paths = files(whole.path());
            for path in &paths {
                fs::copy(path, dir.path().join(path.file_name().unwrap())).unwrap();
            }
            let path = dir.path().join(paths[rng.random_range(0..paths.len())].file_name().unwrap());
            let mut bytes = fs::read(&path).unwrap();
            let (at, what) = damage(&mut bytes, &mut rng);
            let what = format!("seed {seed}, {what} of {}", path.display());
            fs::write(&path, &bytes).unwrap();
            match open(dir.path()).await {
                Ok(mut log) => {
                    opened += 1;
                    let read = log.try_get_log_entries(promised.purged + 1..promised.committed + 1).await.unwrap();
                    let indexes: Vec<u64> = read.iter().map(|entry| entry.log_id.index).collect();
                    assert_eq!(indexes, (promised.purged + 1..=promised.committed).collect::<Vec<_>>(), "{what}");
                    assert!(read.iter().all(|entry| entry.log_id == id(entry.log_id.index)), "{what}");
                    assert_eq!(log.read_vote().await.unwrap(), Some(promised.vote), "{what}");
                    log.close();
                }
                Err(error @ LogError::Damaged { .. }) => {
                    refused += 1;
                    let LogError::Damaged { path: named, offset, .. } = &error else { continue };
                    assert_eq!(named.parent(), Some(dir.path()), "{what}: {error}");
                    // The place is that of the record that cannot be read: not behind the damage in that file.
                    assert!(*named != path || *offset <= at as u64 + 65, "{what}: {error}");
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
    println!("{refused} refused, {opened} opened with everything there");
    assert!(refused > 100 && opened > 50, "{refused} refused, {opened} opened: the test shows nothing");
}
