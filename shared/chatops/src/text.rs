//! Text from outside, made harmless for whatever shows it.

/// Characters that show nothing and change how others are shown: direction overrides and isolates, zero-width ones, byte-order marks.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line of at most `max` characters: control characters become blanks, invisible ones go, runs of blanks become one, and addresses are
/// broken by a word joiner, so that no client makes a link of them.
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    // Telemetry may be of any length; what is beyond four times the limit would not be shown anyway.
    for c in text.chars().take(max.saturating_mul(4)).filter(|c| !is_invisible(*c)) {
        let c = if c.is_control() || c.is_whitespace() { ' ' } else { c };
        if c == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        line.push(c);
        chars += 1;
    }
    let line = line.trim_end();
    if chars <= max { unlinked(line) } else { unlinked(&line.chars().take(max.saturating_sub(1)).chain(['…']).collect::<String>()) }
}

fn unlinked(line: &str) -> String {
    let mut out = line.replace("://", ":\u{2060}//");
    // Case does not matter to those who make links: `WWW.` is one too.
    let lower = out.to_ascii_lowercase();
    for (at, _) in lower.match_indices("www.").collect::<Vec<_>>().into_iter().rev() {
        out.insert(at + 3, '\u{2060}');
    }
    let lower = out.to_ascii_lowercase();
    for (at, _) in lower.match_indices("mailto:").collect::<Vec<_>>().into_iter().rev() {
        out.insert(at + 6, '\u{2060}');
    }
    out
}

/// Length as Slack and Teams count it: UTF-16 units.
#[must_use]
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Replaces characters by `replace`, and ends with `…` before the result would be longer than `max` UTF-16 units; never within a replacement.
#[must_use]
pub fn escaped(text: &str, max: usize, replace: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut used = 0;
    let whole: usize = text.chars().map(|c| replace(c).map_or(c.len_utf16(), units)).sum();
    let room = if whole <= max { max } else { max.saturating_sub(1) };
    for c in text.chars() {
        let size = replace(c).map_or(c.len_utf16(), units);
        if used + size > room {
            break;
        }
        match replace(c) {
            Some(other) => out.push_str(other),
            None => out.push(c),
        }
        used += size;
    }
    if whole > max && max > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_no_links_any_more() {
        let line = clean("see https://evil.example/x or WWW.evil.example, mailto:a@b", 200);
        assert!(!line.contains("://") && !line.to_lowercase().contains("www.") && !line.contains("mailto:"), "{line}");
    }

    #[test]
    fn a_text_becomes_one_visible_line() {
        assert_eq!(clean("a\nb\u{202e}c\t\u{200b} d \u{7}", 20), "a bc d");
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_it_may_be(text in "\\PC{0,200}", max in 1usize..80) {
            prop_assert!(units(&escaped(&text, max, |c| (c == 'a').then_some("&amp;"))) <= max);
            let line = clean(&text, max);
            // The word joiners that break addresses come on top.
            let shown = line.chars().filter(|c| !is_invisible(*c)).count();
            prop_assert!(shown <= max);
            prop_assert!(!line.contains("://"), "an address");
        }
    }
}
