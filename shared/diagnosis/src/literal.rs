//! What of a text has to stay exactly as it is written: numbers, identifiers, names of instances.

/// Punctuation that ends or opens a word without being part of it.
fn is_edge(c: char) -> bool {
    matches!(c, ',' | ';' | '!' | '?' | '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '`' | '*') || c.is_whitespace()
}

/// The words of a text as they are written, without the punctuation around them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(is_edge).trim_matches(['.', ':'])).filter(|word| !word.is_empty())
}

/// A figure: a number with its comparison, sign and unit (`>=65%`, `15m`, `0.05s`, `v1.8`, `-5`), or an ordinal (`99th`).
pub(crate) fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['<', '>', '=', '+', '-', '~', '$', 'v']);
    let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    // Three dots make an address.
    word.matches('.').count() < 3
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && unit.len() <= 3
        && unit.chars().all(|c| c.is_alphabetic() || matches!(c, '%' | '/'))
}

/// A name that somebody gave: `CephOSDNearFull`, `virt-controller`, `body_size_limit`, `kube-system/etcd`, `HPA`.
pub(crate) fn is_identifier(word: &str) -> bool {
    let chars: Vec<char> = word.chars().collect();
    let joined = chars
        .windows(3)
        .any(|w| w[0].is_alphanumeric() && matches!(w[1], '-' | '_' | '/' | '.' | ':' | '=' | '@') && w[2].is_alphanumeric());
    // A capital that does not begin the word.
    let inner_capital = chars.windows(2).any(|w| w[0].is_alphanumeric() && w[1].is_uppercase());
    joined || inner_capital || (word.contains(|c: char| c.is_ascii_digit()) && word.contains(char::is_alphabetic))
}

/// A name of one instance among many, by its form: an address, a UUID, a pod with its hash or ordinal (`cart-6d5f8b9c7-x2x4z`, `db-0`), a
/// node (`ip-10-0-3-17`). Written in lower case, cut by separators, and one of its parts is a count or a hash.
pub(crate) fn is_instance(word: &str) -> bool {
    if is_number(word) || word.contains(char::is_uppercase) {
        return false;
    }
    let parts: Vec<&str> = word.split(['-', '.', '/', ':', '_', '@']).filter(|part| !part.is_empty()).collect();
    let is_count = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let is_hash =
        |part: &str| part.len() >= 4 && part.contains(|c: char| c.is_ascii_digit()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    parts.len() > 1 && parts.iter().any(|part| is_count(part) || is_hash(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_by_their_form() {
        for word in ["65%", ">=65%", "15m", "0.05s", "24h", "99th", "v1.8.2", "-5", "10,000", "7.0", "9000", ">10ms", "500m"] {
            assert!(is_number(word) && !is_instance(word), "{word}");
        }
        for word in
            ["CephOSDNearFull", "virt-controller", "body_size_limit", "kube-system/etcd", "HPA", "vCPU", "k8s", "kube-state-metrics"]
        {
            assert!(is_identifier(word) && !is_instance(word) && !is_number(word), "{word}");
        }
        for word in [
            "cart-6d5f8b9c7-x2x4z",
            "db-0",
            "ip-10-0-3-17",
            "10.0.3.17:9100",
            "10.0.3.17",
            "shop/cart-6d5f8b9c7-qbcdf",
            "pvc-0a1b2c3d",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "node17.rack-4.example",
        ] {
            assert!(is_instance(word), "{word}");
        }
        for word in ["Filesystem", "the", "nearing", "A", "pod"] {
            assert!(!is_identifier(word) && !is_number(word) && !is_instance(word), "{word}");
        }
    }

    #[test]
    fn punctuation_around_a_word_is_no_part_of_it() {
        let text = "The pod (`cart-0`), has \"85%\" left: see https://x.y/z. Really?";
        assert_eq!(words(text).collect::<Vec<_>>(), ["The", "pod", "cart-0", "has", "85%", "left", "see", "https://x.y/z", "Really"]);
        assert_eq!(words(" ... -- ").collect::<Vec<_>>(), ["--"]);
    }
}
