//! Numbers that carry their own check, so that a figure is not taken for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A payment card: 13 to 19 digits that satisfy Luhn's formula (ISO/IEC 7812-1, annex B).
pub(super) fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    if !(13..=19).contains(&digits.len()) || digits.iter().all(|d| *d == digits[0]) {
        return false;
    }
    let doubled = |d: u32| if d > 4 { 2 * d - 9 } else { 2 * d };
    let sum: u32 = digits.iter().rev().enumerate().map(|(place, d)| if place % 2 == 1 { doubled(*d) } else { *d }).sum();
    sum.is_multiple_of(10)
}

/// A bank account: its letters as numbers, the first four characters last, leave 1 when divided by 97 (ISO 13616).
pub(super) fn is_iban(text: &str) -> bool {
    let characters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    if !(15..=34).contains(&characters.len()) {
        return false;
    }
    let (country, account) = characters.split_at(4);
    let rest = account.iter().chain(country).try_fold(0u32, |rest, c| {
        let value = c.to_digit(36)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    rest == Some(1)
}

/// An address that anybody may have; not of a pod, a node, this machine or a group.
pub(super) fn is_public_address(text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_public_v4(address),
        Ok(IpAddr::V6(address)) => is_public_v6(address),
        Err(_) => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    // Shared address space of carriers and of some clusters (RFC 6598); `0.` means this network: versions begin so.
    let shared = a == 100 && (64..128).contains(&b);
    !(address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast() || shared || a == 0 || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(mapped) => is_public_v4(mapped),
        // Global unicast (RFC 4291).
        None => address.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_tell_numbers_from_figures() {
        assert!(is_card("4111 1111 1111 1111") && is_card("378282246310005"));
        assert!(!is_card("4111 1111 1111 1112") && !is_card("0000000000000000") && !is_card("1700000000001"));
        assert!(is_iban("DE89 3704 0044 0532 0130 00") && !is_iban("DE88 3704 0044 0532 0130 00") && !is_iban("AB12é4567890123"));
        for (address, public) in
            [("8.8.8.8", true), ("10.42.0.17", false), ("100.64.3.2", false), ("100.128.3.2", true), ("fd00::12", false)]
        {
            assert_eq!(is_public_address(address), public, "{address}");
        }
        assert!(is_public_address("2a00:1450:4001:80b::200e") && is_public_address("::ffff:8.8.8.8") && !is_public_address("::1"));
    }
}
