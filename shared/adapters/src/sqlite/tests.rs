use super::SqliteAuditLog;
use picket_core::audit::{AuditEntry, AuditRecord};
use picket_core::ports::{AuditLog, PortError};
use picket_core::time::Timestamp;
use rusqlite::Connection;

fn entry(n: i64) -> AuditEntry {
    AuditEntry {
        at: Timestamp(n),
        actor: "actuator:east".into(),
        kind: "claim_intent".into(),
        subject: format!("act-{n}"),
        detail: serde_json::json!({ "n": n, "share": 0.1 * n as f64 }),
    }
}

async fn filled(path: &std::path::Path, records: i64) -> SqliteAuditLog {
    let log = SqliteAuditLog::open(path).await.unwrap();
    for n in 1..=records {
        log.append(entry(n)).await.unwrap();
    }
    log
}

#[tokio::test]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    crate::conformance::audit_log(&SqliteAuditLog::open(dir.path().join("audit.db")).await.unwrap()).await;
}

#[tokio::test]
async fn it_goes_on_where_it_was_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    drop(filled(&path, 3).await);
    let log = SqliteAuditLog::open(&path).await.unwrap();
    assert_eq!(log.append(entry(4)).await.unwrap().seq, 4);
    assert_eq!(log.verify().await.unwrap().0, 4);
}

#[tokio::test]
async fn two_processes_append_to_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let (one, two) = (SqliteAuditLog::open(&path).await.unwrap(), SqliteAuditLog::open(&path).await.unwrap());
    let appends = (0..20).map(|n| {
        let log = if n % 2 == 0 { one.clone() } else { two.clone() };
        async move { log.append(entry(n)).await.unwrap().seq }
    });
    let mut seqs = futures::future::join_all(appends).await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=20).collect::<Vec<u64>>());
    assert_eq!(one.verify().await.unwrap().0, 20);
}

#[tokio::test]
async fn triggers_refuse_what_is_no_append() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let log = filled(&path, 2).await;
    let raw = Connection::open(&path).unwrap();
    for statement in [
        "UPDATE audit SET entry = '{}' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "INSERT INTO audit VALUES (9, 'p', '{}', 'h')",
        "INSERT OR REPLACE INTO audit VALUES (1, 'p', '{}', 'h')",
    ] {
        let error = raw.execute(statement, []).expect_err(statement);
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(log.verify().await.unwrap().0, 2);
}

#[tokio::test]
async fn whoever_goes_around_the_triggers_is_found_out() {
    let last = |records: &[AuditRecord]| serde_json::to_string(&records[1].entry).unwrap().replace("act-2", "act-9");
    for (tampering, record) in [("change", "record 2"), ("remove", "record 2"), ("front", "4 records are stored but 3")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let log = filled(&path, 3).await;
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_in_order;").unwrap();
        let text = last(&log.read(1, 9).await.unwrap());
        let changed = match tampering {
            "change" => raw.execute("UPDATE audit SET entry = ?1 WHERE seq = 2", [text]),
            "remove" => raw.execute("DELETE FROM audit WHERE seq = 2", []),
            _ => raw.execute("INSERT INTO audit VALUES (0, 'p', ?1, 'h')", [text]),
        };
        assert_eq!(changed, Ok(1));
        match log.verify().await {
            Err(PortError::Damaged { why, .. }) => assert!(why.contains(record), "{tampering}: {why}"),
            other => panic!("{tampering}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_last_record_is_refused_at_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    drop(filled(&path, 1).await);
    Connection::open(&path).unwrap().execute_batch("DROP TRIGGER audit_no_update; UPDATE audit SET prev = 'x';").unwrap();
    assert!(matches!(SqliteAuditLog::open(&path).await, Err(PortError::Damaged { .. })));
}

#[tokio::test]
async fn floats_that_do_not_read_back_exactly_still_verify() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteAuditLog::open(dir.path().join("audit.db")).await.unwrap();
    // Values of every magnitude, by a small generator: some of them change by one bit in a round trip.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..200 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = f64::from_bits(state);
        let mut entry = entry(1);
        entry.detail = serde_json::json!({ "value": if value.is_finite() { value } else { 0.0 } });
        log.append(entry).await.unwrap();
    }
    assert_eq!(log.verify().await.unwrap().0, 200);
}
