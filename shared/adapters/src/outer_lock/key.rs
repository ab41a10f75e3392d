//! The key of a scope: two scopes never share one, and no name reaches into another's.

use picket_core::scope::Scope;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Longest part that is written out; a longer one is hashed.
const PART_MAX: usize = 200;

/// `PREFIX/ns/CLUSTER/NAMESPACE`, `PREFIX/cluster/CLUSTER` or `PREFIX/ext/SYSTEM/ID`. Every byte of a name that is not a letter, a digit,
/// `-`, `.` or `_` is written as `%XX`, so a name has no slash, no brace and no line end.
#[must_use]
pub fn scope_key(prefix: &str, scope: &Scope) -> String {
    let (kind, parts) = match scope {
        Scope::Namespace(cluster, namespace) => ("ns", vec![cluster.as_str(), namespace]),
        Scope::Cluster(cluster) => ("cluster", vec![cluster.as_str()]),
        Scope::External(system, id) => ("ext", vec![system.as_str(), id]),
    };
    let mut key = format!("{prefix}/{kind}");
    for part in parts {
        key.push('/');
        key.push_str(&encode(part));
    }
    key
}

fn encode(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A colon is never left in an encoded name, so a hash cannot be mistaken for one.
    if out.len() > PART_MAX { format!("sha256:{}", hex::encode(Sha256::digest(part))) } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn namespace(cluster: &str, name: &str) -> String {
        scope_key("picket/locks", &Scope::Namespace(cluster.into(), name.into()))
    }

    #[test]
    fn a_usual_name_reads_as_it_is() {
        assert_eq!(namespace("east-1", "shop"), "picket/locks/ns/east-1/shop");
        assert_eq!(scope_key("p", &Scope::Cluster("east".into())), "p/cluster/east");
        assert_eq!(scope_key("p", &Scope::External("github".into(), "acme/app".into())), "p/ext/github/acme%2Fapp");
    }

    #[test]
    fn no_name_reaches_into_another() {
        let long = "x".repeat(300);
        let names = ["a", "a/b", "a%2Fb", "a%", "a\n", "a\0", "a b", "{a}", "a*", "", "é", "..", &long, &format!("{long}y")];
        let mut keys = BTreeSet::new();
        for one in names {
            for two in names {
                let key = namespace(one, two);
                assert_eq!(key.matches('/').count(), 4, "{key}");
                assert!(key.bytes().all(|b| b.is_ascii_graphic() && !b"{}*?[]".contains(&b)), "{key}");
                assert!(keys.insert(key), "({one:?}, {two:?}) shares a key");
            }
        }
    }
}
