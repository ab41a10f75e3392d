//! One table of records. Triggers refuse what is no append; the hash chain tells of whoever went around them.

use picket_core::action::Digest;
use picket_core::audit::{AuditEntry, AuditRecord, BrokenChain, genesis, verify};
use picket_core::ports::{AuditLog, PortError, PortResult};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::{Number, Value};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a writer waits for another process's write.
const BUSY: Duration = Duration::from_secs(5);
/// The deadline of one call.
const DEADLINE: Duration = Duration::from_secs(10);
/// Records read at once while verifying: bounds memory, not the log's length.
const PAGE: usize = 1_024;

/// WAL lets `picket audit verify` read while others write; `FULL` makes a commit survive loss of power.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS audit (
        seq   INTEGER PRIMARY KEY,
        prev  TEXT NOT NULL,
        entry TEXT NOT NULL,
        hash  TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no record may be changed'); END;
    CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no record may be deleted'); END;
    CREATE TRIGGER IF NOT EXISTS audit_in_order BEFORE INSERT ON audit
        WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: a record comes after the last one'); END;
";

/// An audit log in a SQLite file. Clones share the connection; several processes may append to one file.
#[derive(Clone, Debug)]
pub struct SqliteAuditLog {
    connection: Arc<Mutex<Connection>>,
    path: Arc<PathBuf>,
}

impl SqliteAuditLog {
    /// Opens or creates the log, and checks that its last record is whole.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be opened, `Damaged` when its last record does not hash to what it says.
    pub async fn open(path: impl Into<PathBuf>) -> PortResult<Self> {
        let path = Arc::new(path.into());
        let file = Arc::clone(&path);
        let connection = blocking(&path, move || {
            let connection = Connection::open(&*file).map_err(|error| unavailable(&file, &error))?;
            connection.busy_timeout(BUSY).and_then(|()| connection.execute_batch(SCHEMA)).map_err(|error| unavailable(&file, &error))?;
            if let Some(last) = last_record(&connection, &file)? {
                let relinked = AuditRecord::link(last.seq, last.prev.clone(), last.entry.clone());
                if relinked.hash != last.hash {
                    return Err(damaged(&file, &BrokenChain::Changed { seq: last.seq }));
                }
            }
            Ok(connection)
        })
        .await?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path })
    }

    /// Checks the whole chain. Returns the number of records and the hash of the last.
    ///
    /// A chain cannot tell that its newest records are gone: compare both with what was noted elsewhere.
    ///
    /// # Errors
    /// `Damaged` naming the first record that is wrong.
    pub async fn verify(&self) -> PortResult<(u64, Digest)> {
        let (mut count, mut prev) = (0_u64, genesis());
        loop {
            let page = self.read(count + 1, PAGE).await?;
            if page.is_empty() {
                return self.nothing_before_the_first(count).await.map(|()| (count, prev));
            }
            // `verify` starts at the first record: later pages are shifted to look like a first one's continuation.
            for record in &page {
                check(record, count + 1, &prev).map_err(|error| damaged(&self.path, &error))?;
                count += 1;
                prev = record.hash.clone();
            }
        }
    }

    /// Records whose number is below 1 would be skipped by reading from 1 on.
    async fn nothing_before_the_first(&self, count: u64) -> PortResult<()> {
        let total = self
            .with(|connection, path| {
                connection.query_row("SELECT COUNT(*) FROM audit", [], |row| row.get::<_, i64>(0)).map_err(|e| unavailable(path, &e))
            })
            .await?;
        if u64::try_from(total).is_ok_and(|total| total == count) {
            return Ok(());
        }
        Err(PortError::Damaged {
            what: self.path.display().to_string(),
            why: format!("{total} records are stored but {count} are in the chain"),
        })
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Connection, &Path) -> PortResult<T> + Send + 'static) -> PortResult<T> {
        let (connection, path) = (Arc::clone(&self.connection), Arc::clone(&self.path));
        blocking(&self.path, move || {
            // A panic in a writer leaves at most an open transaction, which SQLite rolled back when it was dropped.
            let mut connection = connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            work(&mut connection, &path)
        })
        .await
    }
}

impl AuditLog for SqliteAuditLog {
    async fn append(&self, entry: AuditEntry) -> PortResult<AuditRecord> {
        let (entry, text) = settle(entry)?;
        self.with(move |connection, path| {
            // Immediate: the last record is read under the write lock, so two processes cannot both follow it.
            let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(|error| unavailable(path, &error))?;
            let last = last_record(&transaction, path)?;
            let (seq, prev) = last.map_or_else(|| (1, genesis()), |last| (last.seq + 1, last.hash));
            let record = AuditRecord::link(seq, prev, entry);
            let number = i64::try_from(seq).map_err(|_| unavailable(path, &"it holds 2^63 records"))?;
            transaction
                .execute(
                    "INSERT INTO audit (seq, prev, entry, hash) VALUES (?1, ?2, ?3, ?4)",
                    params![number, record.prev.0, text, record.hash.0],
                )
                .and_then(|_| transaction.commit())
                .map_err(|error| unavailable(path, &error))?;
            Ok(record)
        })
        .await
    }

    async fn read(&self, from_seq: u64, max: usize) -> PortResult<Vec<AuditRecord>> {
        let from = i64::try_from(from_seq).unwrap_or(i64::MAX);
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.with(move |connection, path| {
            let mut statement = connection
                .prepare_cached("SELECT seq, prev, entry, hash FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
                .map_err(|error| unavailable(path, &error))?;
            let rows = statement.query_map(params![from, max], row_texts).map_err(|error| unavailable(path, &error))?;
            rows.map(|row| row.map_err(|error| unavailable(path, &error)).and_then(|texts| record(texts, path))).collect()
        })
        .await
    }
}

/// The entry as it reads back from its text, which is what the hash must be of.
fn settle(mut entry: AuditEntry) -> PortResult<(AuditEntry, String)> {
    settle_numbers(&mut entry.detail);
    let text =
        serde_json::to_string(&entry).map_err(|error| PortError::Refused { what: "audit entry".to_owned(), why: error.to_string() })?;
    Ok((entry, text))
}

/// JSON's reader may change the last bit of a float, and the hash with it. A float that does not read back as it was written
/// becomes the one that is read; one that changes each time is kept as text.
fn settle_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(settle_numbers),
        Value::Object(fields) => fields.values_mut().for_each(settle_numbers),
        Value::Number(number) if number.is_f64() => {
            let reread = |number: &Number| serde_json::from_str::<Number>(&number.to_string()).ok();
            let stable = |number: &Number| reread(number).is_some_and(|again| again == *number);
            if !stable(number) {
                *value = match reread(number).filter(stable) {
                    Some(read) => Value::Number(read),
                    None => Value::String(number.to_string()),
                };
            }
        }
        _ => {}
    }
}

type RowTexts = (i64, String, String, String);

fn row_texts(row: &rusqlite::Row<'_>) -> rusqlite::Result<RowTexts> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn record((seq, prev, entry, hash): RowTexts, path: &Path) -> PortResult<AuditRecord> {
    let unreadable = |why: String| PortError::Damaged { what: format!("record {seq} of {}", path.display()), why };
    Ok(AuditRecord {
        seq: u64::try_from(seq).map_err(|error| unreadable(error.to_string()))?,
        prev: Digest(prev),
        entry: serde_json::from_str(&entry).map_err(|error| unreadable(error.to_string()))?,
        hash: Digest(hash),
    })
}

fn last_record(connection: &Connection, path: &Path) -> PortResult<Option<AuditRecord>> {
    let texts = connection.query_row("SELECT seq, prev, entry, hash FROM audit ORDER BY seq DESC LIMIT 1", [], row_texts).optional();
    texts.map_err(|error| unavailable(path, &error))?.map(|texts| record(texts, path)).transpose()
}

/// What [`verify`] checks of one record in its place.
fn check(record: &AuditRecord, seq: u64, prev: &Digest) -> Result<(), BrokenChain> {
    if seq == 1 {
        return verify([record]).map(|_| ());
    }
    if record.seq != seq {
        return Err(BrokenChain::Gap { expected: seq, found: record.seq });
    }
    if record.prev != *prev {
        return Err(BrokenChain::Unlinked { seq });
    }
    if AuditRecord::link(seq, prev.clone(), record.entry.clone()).hash != record.hash {
        return Err(BrokenChain::Changed { seq });
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(path: &Path, work: impl FnOnce() -> PortResult<T> + Send + 'static) -> PortResult<T> {
    let task = tokio::task::spawn_blocking(work);
    match tokio::time::timeout(DEADLINE, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(unavailable(path, &panic)),
        Err(_) => Err(PortError::Timeout { what: format!("audit log {}", path.display()) }),
    }
}

fn unavailable(path: &Path, why: &dyn std::fmt::Display) -> PortError {
    PortError::Unavailable { what: format!("audit log {}", path.display()), why: why.to_string() }
}

fn damaged(path: &Path, why: &BrokenChain) -> PortError {
    PortError::Damaged { what: format!("audit log {}", path.display()), why: why.to_string() }
}
