//! Where the other nodes are: as the group's membership says, unless this node's configuration says otherwise.

use crate::raft::Membership;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

/// `host:port`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// Longest host name of DNS.
const HOST_BYTES_MAX: usize = 253;

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not host:port");
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').filter(|h| h.contains(':')).ok_or_else(bad)?,
            None if host.contains(':') => return Err(format!("`{text}` is not host:port: write an IPv6 address in brackets")),
            None => host,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%');
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(plain) {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Looked into whenever a connection is made. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct AddressBook {
    /// They go first: a group may be restarted elsewhere, and the log still names the old places.
    configured: Arc<BTreeMap<u64, Address>>,
    members: Arc<RwLock<BTreeMap<u64, Address>>>,
}

impl AddressBook {
    /// What the configuration says.
    ///
    /// # Errors
    /// Which node's address is no `host:port`.
    pub fn new(configured: &BTreeMap<u64, String>) -> Result<Self, String> {
        let read = |(id, text): (&u64, &String)| text.parse().map(|address| (*id, address)).map_err(|why| format!("node {id}: {why}"));
        Ok(Self { configured: Arc::new(configured.iter().map(read).collect::<Result<_, _>>()?), members: Arc::default() })
    }

    /// Where that node is.
    #[must_use]
    pub fn of(&self, node: u64) -> Option<Address> {
        let member = || self.members.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned();
        self.configured.get(&node).cloned().or_else(member)
    }

    /// The group is this from now on.
    pub fn learn(&self, membership: &Membership) {
        // What is no address was refused before it came into the log; older logs may hold anything.
        let members = membership.nodes().filter_map(|(id, node)| Some((*id, node.addr.parse().ok()?))).collect();
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    /// One node is about to be called, before the whole membership is known here.
    pub fn learn_one(&self, node: u64, address: &str) {
        if let Ok(address) = address.parse() {
            self.members.write().unwrap_or_else(PoisonError::into_inner).insert(node, address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::BasicNode;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("a.example:1", "a.example", 1),
            ("10.0.0.1:7001", "10.0.0.1", 7001),
            ("[::1]:65535", "::1", 65535),
            ("[fe80::1%eth0]:7", "fe80::1%eth0", 7),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
        for bad in
            ["", "a", "a:", ":1", "a:0", "a:65536", "a:x", "::1:7", "[::1]", "[a]:1", "[::1:7", "a b:1", "a/b:1", "https://a:1", "a@b:1"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!(format!("{}:1", "a".repeat(HOST_BYTES_MAX + 1)).parse::<Address>().is_err());
    }

    #[test]
    fn the_membership_says_where_a_node_is_and_the_configuration_overrides_it() {
        let book = AddressBook::new(&BTreeMap::from([(1, "configured:1".to_owned())])).unwrap();
        let nodes = |list: &[(u64, &str)]| {
            let nodes: BTreeMap<u64, BasicNode> = list.iter().map(|(id, addr)| (*id, BasicNode::new(*addr))).collect();
            Membership::new(vec![nodes.keys().copied().collect()], nodes).unwrap()
        };
        let at = |id| book.of(id).map(|a| a.to_string());
        assert_eq!((at(1), at(2)), (Some("configured:1".into()), None));
        book.learn(&nodes(&[(1, "log:1"), (2, "log:2"), (3, "no address")]));
        assert_eq!((at(1), at(2), at(3)), (Some("configured:1".into()), Some("log:2".into()), None));
        book.learn(&nodes(&[(4, "log:4")]));
        assert_eq!((at(1), at(2), at(4)), (Some("configured:1".into()), None, Some("log:4".into())));
        assert!(AddressBook::new(&BTreeMap::from([(1, "nowhere".to_owned())])).unwrap_err().contains("node 1"));
    }
}
