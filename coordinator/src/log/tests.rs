//! What the disk promises, also after a crash.

use super::{DiskLog, LogError, record, segment};
use crate::disk::Files;
use crate::raft::machine::Machine;
use crate::raft::{Entry, LogId, TypeConfig, Vote};
use openraft::entry::RaftEntry as _;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{RaftLogReader as _, StorageError};
use picket_state_machine::Settings;
use std::fs;
use std::path::{Path, PathBuf};

struct InTempDir;

impl StoreBuilder<TypeConfig, DiskLog, Machine, tempfile::TempDir> for InTempDir {
    async fn build(&self) -> Result<(tempfile::TempDir, DiskLog, Machine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let log = DiskLog::open(dir.path()).unwrap();
        let machine = <Machine>::open(dir.path(), Settings::default()).unwrap();
        Ok((dir, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_own_suite_passes() {
    Suite::<TypeConfig, DiskLog, Machine, InTempDir, tempfile::TempDir>::test_all(InTempDir).await.unwrap();
}

fn id(index: u64) -> LogId {
    openraft::testing::log_id::<TypeConfig>(1, 1, index)
}

fn entries(range: std::ops::Range<u64>) -> Vec<Entry> {
    range.map(|i| Entry::new_blank(id(i))).collect()
}

/// Ten entries, each synced by itself, and closed.
async fn ten(dir: &Path) {
    let mut log = DiskLog::open(dir).unwrap();
    for entry in entries(0..10) {
        log.blocking_append([entry]).await.unwrap();
    }
    log.close();
}

async fn indexes(log: &mut DiskLog) -> Vec<u64> {
    log.try_get_log_entries(..).await.unwrap().iter().map(|e| e.log_id.index).collect()
}

fn only_segment(dir: &Path) -> PathBuf {
    let paths = segment::list(&Files, dir).unwrap();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths[0].clone()
}

/// First bytes of the records of a file.
fn offsets(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let mut at = 0;
    let mut found = Vec::new();
    while record::begins(&bytes[at..]) {
        found.push(at);
        at += record::decode(&bytes[at..]).unwrap().len_bytes();
    }
    found
}

#[tokio::test]
async fn entries_vote_truncation_and_purge_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let vote = Vote::new(7, 2);
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.save_vote(&vote).await.unwrap();
    log.truncate_after(Some(id(7))).await.unwrap();
    log.purge(id(2)).await.unwrap();
    log.blocking_append(entries(8..9)).await.unwrap();
    log.close();

    let mut log = DiskLog::open(dir.path()).unwrap();
    assert_eq!(indexes(&mut log).await, [3, 4, 5, 6, 7, 8]);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    let state = log.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(id(2)), Some(id(8))));
}

#[tokio::test]
async fn a_log_that_was_purged_beyond_its_end_goes_on_from_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.purge(id(50)).await.unwrap();
    log.blocking_append(entries(51..53)).await.unwrap();
    log.close();
    let mut log = DiskLog::open(dir.path()).unwrap();
    assert_eq!(indexes(&mut log).await, [51, 52]);
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    let last = *offsets(&path).last().unwrap();
    for cut in last + 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut log = DiskLog::open(dir.path()).unwrap();
        assert_eq!(indexes(&mut log).await, (0..9).collect::<Vec<_>>(), "cut at {cut}");
        log.close();
        assert_eq!(fs::metadata(&path).unwrap().len(), last as u64);
    }
    // Pages that were allocated and never written.
    let mut zeros = whole.clone();
    zeros.extend([0; 5000]);
    fs::write(&path, &zeros).unwrap();
    let mut log = DiskLog::open(dir.path()).unwrap();
    assert_eq!(indexes(&mut log).await, (0..10).collect::<Vec<_>>());
    log.blocking_append(entries(10..11)).await.unwrap();
    log.close();
    let mut log = DiskLog::open(dir.path()).unwrap();
    assert_eq!(indexes(&mut log).await, (0..11).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_that_reached_the_disk_in_the_wrong_order_is_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.blocking_append(entries(0..2)).await.unwrap();
    log.blocking_append(entries(2..6)).await.unwrap();
    log.close();
    let path = only_segment(dir.path());
    let third = offsets(&path)[3];
    let mut bytes = fs::read(&path).unwrap();
    bytes[third + record::HEADER_BYTES] ^= 1;
    fs::write(&path, &bytes).unwrap();
    // Entries 4 and 5 are sound, but were not promised before 3 was.
    let mut log = DiskLog::open(dir.path()).unwrap();
    assert_eq!(indexes(&mut log).await, [0, 1, 2]);
}

#[tokio::test]
async fn damage_in_the_middle_refuses_to_start_and_names_file_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path()).await;
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    for (entry, start) in offsets(&path).into_iter().enumerate().take(9) {
        for at in [start, start + 5, start + 12, start + 30, start + record::HEADER_BYTES + 2] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            let error = DiskLog::open(dir.path()).err().unwrap_or_else(|| panic!("entry {entry}, byte {at}: opened"));
            assert!(matches!(&error, LogError::Damaged { path: p, offset, .. } if *p == path && *offset == start as u64), "{error}");
            assert!(
                error.to_string().contains(&path.display().to_string()) && error.to_string().contains(&format!("byte {start}")),
                "{error}"
            );
        }
    }
    fs::write(&path, &whole).unwrap();
    DiskLog::open(dir.path()).unwrap();
}

/// As a process that was killed leaves its files: zeros lie ahead of the records.
#[tokio::test]
async fn prepared_space_is_no_damage_and_hides_none() {
    const SEGMENT_BYTES: u64 = 1 << 10;
    let dir = tempfile::tempdir().unwrap();
    let mut log = <DiskLog>::open_on(Files, dir.path(), SEGMENT_BYTES).await.unwrap();
    for n in 0..44 {
        log.blocking_append(entries(n..n + 1)).await.unwrap();
    }
    let killed = tempfile::tempdir().unwrap();
    for file in fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, killed.path().join(file.file_name().unwrap())).unwrap();
    }
    let paths = segment::list(&Files, killed.path()).unwrap();
    assert!(paths.len() == 2 && fs::read(paths.last().unwrap()).unwrap().ends_with(&[0; 64]), "{paths:?}");
    let mut log = <DiskLog>::open_on(Files, killed.path(), SEGMENT_BYTES).await.unwrap();
    assert_eq!(indexes(&mut log).await, (0..44).collect::<Vec<_>>());
    log.blocking_append(entries(44..45)).await.unwrap();
    log.close();

    let mut bytes = fs::read(&paths[0]).unwrap();
    let last = *offsets(&paths[0]).last().unwrap();
    bytes[last..].fill(0);
    fs::write(&paths[0], &bytes).unwrap();
    let error = <DiskLog>::open_on(Files, killed.path(), SEGMENT_BYTES).await.err().unwrap().to_string();
    assert!(error.contains("entries are missing") && error.contains(&paths[1].display().to_string()), "{error}");
}

#[tokio::test]
async fn a_lost_tail_that_was_committed_refuses_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.blocking_append(entries(0..10)).await.unwrap();
    log.save_committed(Some(id(9))).await.unwrap();
    log.close();
    let path = only_segment(dir.path());
    let last = *offsets(&path).last().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[last + record::HEADER_BYTES] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = DiskLog::open(dir.path()).err().unwrap();
    assert!(matches!(&error, LogError::Damaged { offset, .. } if *offset == last as u64), "{error}");
}

#[tokio::test]
async fn a_damaged_vote_refuses_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.save_vote(&Vote::new(3, 1)).await.unwrap();
    log.close();
    let path = dir.path().join("vote");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(DiskLog::open(dir.path()), Err(LogError::Damaged { path: p, .. }) if p == path));
}

#[tokio::test]
async fn one_folder_serves_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let first = DiskLog::open(dir.path()).unwrap();
    assert!(matches!(DiskLog::open(dir.path()), Err(LogError::InUse { .. })));
    first.close();
    DiskLog::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_hole_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = DiskLog::open(dir.path()).unwrap();
    log.blocking_append(entries(0..2)).await.unwrap();
    assert!(log.blocking_append(entries(3..4)).await.is_err());
}

/// Many more entries than stay in memory, and many files.
#[tokio::test]
async fn entries_that_are_not_in_memory_any_more_are_read_from_disk() {
    const SEGMENT_BYTES: u64 = 1 << 10;
    let dir = tempfile::tempdir().unwrap();
    let mut log = <DiskLog>::open_on(Files, dir.path(), SEGMENT_BYTES).await.unwrap();
    for round in 0..50 {
        log.blocking_append(entries(round * 10..round * 10 + 10)).await.unwrap();
    }
    for restarted in [false, true] {
        if restarted {
            log.close();
            log = <DiskLog>::open_on(Files, dir.path(), SEGMENT_BYTES).await.unwrap();
        }
        assert_eq!(indexes(&mut log).await, (0..500).collect::<Vec<_>>(), "restarted: {restarted}");
        for (start, end) in [(0, 1), (3, 5), (0, 250), (249, 500), (499, 500), (499, 600), (500, 600)] {
            let read = log.try_get_log_entries(start..end).await.unwrap();
            assert_eq!(read.iter().map(|e| e.log_id.index).collect::<Vec<_>>(), (start..end.min(500)).collect::<Vec<_>>());
            let limited = log.limited_get_log_entries(start, end).await.unwrap();
            assert_eq!(limited.first().map(|e| e.log_id.index), (start < 500).then_some(start));
        }
    }
    log.purge(id(120)).await.unwrap();
    log.truncate_after(Some(id(300))).await.unwrap();
    assert_eq!(indexes(&mut log).await, (121..301).collect::<Vec<_>>());
    log.blocking_append(entries(301..303)).await.unwrap();
    assert_eq!(indexes(&mut log).await, (121..303).collect::<Vec<_>>());
}

#[tokio::test]
async fn damage_of_what_is_not_in_memory_any_more_is_found_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = <DiskLog>::open_on(Files, dir.path(), 1 << 10).await.unwrap();
    for n in 0..300 {
        log.blocking_append(entries(n..n + 1)).await.unwrap();
    }
    let path = segment::list(&Files, dir.path()).unwrap().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[record::HEADER_BYTES + 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = log.try_get_log_entries(0..10).await.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()) && error.contains("byte 0"), "{error}");
    assert_eq!(log.try_get_log_entries(290..300).await.unwrap().len(), 10);
}
