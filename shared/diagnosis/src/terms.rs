//! Words of a text as an index keeps them.

/// Words that say nothing about trouble.
const STOP: [&str; 34] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has", "have", "if", "in", "is", "it", "its",
    "not", "of", "on", "or", "that", "the", "then", "there", "this", "to", "was", "when", "which", "with",
];
/// Tells a stem from a word that is spelled like it: no word holds it.
const STEM_MARK: char = '~';

/// Splits text into lower-case words at what is no letter or digit and inside identifiers (`KubePodNotReady`, `OOMKilled`); stop words are
/// left out. Each word comes as it is written and, marked, by its stem: other forms of a word are found, the same form counts double.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .flat_map(pieces)
        .map(str::to_lowercase)
        .filter(|word| !word.is_empty() && !STOP.contains(&word.as_str()))
        .flat_map(|word| [format!("{STEM_MARK}{}", stem(&word)), word])
        .collect()
}

/// The words inside an identifier: a new one begins at a capital after a small letter, and at the last capital of a run when a small letter
/// follows; the plural of an abbreviation (`PVCs`, `APIsDown`) stays with it.
fn pieces(word: &str) -> Vec<&str> {
    let letters: Vec<(usize, char)> = word.char_indices().collect();
    let at = |index: usize| letters.get(index).map(|(_, c)| *c);
    let is_upper = |index: usize| at(index).is_some_and(char::is_uppercase);
    let is_lower = |index: usize| at(index).is_some_and(char::is_lowercase);
    let (mut pieces, mut from) = (Vec::new(), 0);
    for index in 1..letters.len() {
        let plural = at(index + 1) == Some('s') && !is_lower(index + 2);
        let after_small = is_lower(index - 1) && is_upper(index);
        let last_of_run = !is_lower(index - 1) && is_upper(index) && is_lower(index + 1) && !plural;
        if after_small || last_of_run {
            pieces.push(&word[from..letters[index].0]);
            from = letters[index].0;
        }
    }
    pieces.push(&word[from..]);
    pieces
}

/// Step 1 of Porter's algorithm (1980, "An algorithm for suffix stripping"): plurals, `-ed`, `-ing`, `-y`; and no final `e`. The further
/// steps take off derivations, which in runbooks are other things: an operator is no operation. Words with other letters stay whole.
fn stem(word: &str) -> String {
    let mut stem = word.to_owned();
    if word.len() <= 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return stem;
    }
    if stem.ends_with("sses") || stem.ends_with("ies") {
        stem.truncate(stem.len() - 2);
    } else if stem.ends_with('s') && !stem.ends_with("ss") {
        stem.pop();
    }
    without_past(&mut stem);
    if stem.ends_with('y') && has_vowel(&stem[..stem.len() - 1]) {
        stem.pop();
        stem.push('i');
    }
    if stem.ends_with('e') && stem.len() > 4 {
        stem.pop();
    }
    stem
}

/// Takes off `-ed` and `-ing`, and mends what is left: `filling` and `filled` give `fill`, `stopped` gives `stop`, `updated` gives `update`.
fn without_past(stem: &mut String) {
    if let Some(before) = stem.strip_suffix("eed") {
        if vowel_then_consonant(before) {
            stem.pop();
        }
        return;
    }
    let Some(before) = stem.strip_suffix("ed").or_else(|| stem.strip_suffix("ing")).filter(|before| has_vowel(before)) else { return };
    let length = before.len();
    stem.truncate(length);
    let doubled = length >= 2 && stem.as_bytes()[length - 1] == stem.as_bytes()[length - 2];
    if ["at", "bl", "iz"].iter().any(|end| stem.ends_with(end)) {
        stem.push('e');
    } else if doubled && !stem.ends_with(['l', 's', 'z']) {
        stem.pop();
    }
}

const fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

fn has_vowel(word: &str) -> bool {
    word.bytes().any(is_vowel)
}

/// Porter's `m > 0`.
fn vowel_then_consonant(word: &str) -> bool {
    word.bytes().skip_while(|b| !is_vowel(*b)).any(|b| !is_vowel(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifiers_fall_into_words() {
        let cases = [
            ("KubePodCrashLooping", "Kube Pod Crash Looping"),
            ("etcdGRPCRequestsSlow", "etcd GRPC Requests Slow"),
            ("OOMKilled", "OOM Killed"),
            ("PVCs", "PVCs"),
            ("APIsDown", "APIs Down"),
            ("CephOSDNearFull", "Ceph OSD Near Full"),
            ("p99", "p99"),
            ("ÄnderungÜber", "Änderung Über"),
            ("", ""),
        ];
        for (identifier, words) in cases {
            assert_eq!(pieces(identifier).join(" "), words);
        }
    }

    #[test]
    fn forms_of_a_word_share_a_stem() {
        let families: [&[&str]; 7] = [
            &["fill", "fills", "filled", "filling"],
            &["stop", "stops", "stopped", "stopping"],
            &["update", "updates", "updated", "updating"],
            &["query", "queries", "queried"],
            &["class", "classes"],
            &["volume", "volumes"],
            &["agree", "agreed", "agrees"],
        ];
        for family in families {
            assert!(family.iter().all(|word| stem(word) == stem(family[0])), "{:?}", family.iter().map(|w| stem(w)).collect::<Vec<_>>());
        }
        for (one, other) in [("operator", "operation"), ("string", "str"), ("need", "ne")] {
            assert_ne!(stem(one), stem(other));
        }
    }

    #[test]
    fn a_word_comes_as_written_and_by_its_stem() {
        assert_eq!(terms("The disks_are Full"), ["~disk", "disks", "~full", "full"]);
        assert!(terms("of the — / ...").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_has_terms(text in ".{0,200}") {
            for term in terms(&text) {
                prop_assert!(!term.is_empty());
            }
        }
    }
}
