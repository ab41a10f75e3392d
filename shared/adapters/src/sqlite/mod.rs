//! The audit log on SQLite: append-only, hash-chained, durable before it answers (I8).

mod audit;
#[cfg(test)]
mod tests;

pub use audit::SqliteAuditLog;
