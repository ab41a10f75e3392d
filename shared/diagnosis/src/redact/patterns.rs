//! What secrets and personal data look like, in the order in which they are looked for: whole blocks first, then what has a name, then
//! what is known by its shape.

use super::checksums::{is_card, is_iban, is_public_address};
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

/// One kind of thing that must not leave.
pub(super) struct Pattern {
    /// What stands in its place.
    what: &'static str,
    regex: Regex,
    /// Only matches of which this holds.
    holds: fn(&str) -> bool,
}

impl Pattern {
    /// The group `keep`, where there is one, stays; the rest of the match goes.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.regex.replace_all(text, |found: &Captures<'_>| {
            if (self.holds)(&found[0]) {
                format!(
                    "{}[redacted: {}]{}",
                    found.name("keep").map_or("", |k| k.as_str()),
                    self.what,
                    found.name("end").map_or("", |e| e.as_str())
                )
            } else {
                found[0].to_owned()
            }
        })
    }
}

/// What stands in its place, the expression, and of which matches.
type Row<'a> = (&'static str, &'a str, fn(&str) -> bool);

/// Names under which secrets are kept, as the end of a key: `DB_PASSWORD`, `x-api-key`, `clientSecret`.
const SECRET_KEY: &str = r"[\w.\-]*(?:passwor[dt]|passwd|passphrase|pwd|secret|token|api[_\-]?key|access[_\-]?key|account[_\-]?key|private[_\-]?key|encryption[_\-]?key|signing[_\-]?key|credentials?|authorization|session[_\-]?id|cookie|\bpin|\bpass|\botp)";

fn anything(_: &str) -> bool {
    true
}

/// Mixed like a key: a name or a digest of an image is not.
fn mixed(text: &str) -> bool {
    let count = |test: fn(&u8) -> bool| text.bytes().filter(test).count();
    count(u8::is_ascii_lowercase) >= 3 && count(u8::is_ascii_uppercase) >= 3 && count(u8::is_ascii_digit) >= 2
}

pub(super) static ALL: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let named = format!(
        r#"(?i)(?P<keep>{SECRET_KEY}\\*["']?\s*(?:=>|:=|=|:)\s*(?:(?:bearer|basic|token|digest)\s+)?\\*)(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'\[][^\s"',;&|)}}\]]*)"#
    );
    let spoken = r#"(?i)(?P<keep>\b(?:password|passphrase|secret|token|api key|pin)\s+(?:is|was|to|for \S+ is)\s+)["']?[^\s"']+"#;
    let table: [Row<'_>; 21] = [
        ("private key", r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)", anything),
        ("token", r"\beyJ[\w\-]{5,}\.[\w\-]{5,}(?:\.[\w\-]*)*", anything),
        ("password", r"(?P<keep>\b[A-Za-z][A-Za-z0-9+.\-]*://)[^\s/@:]*:[^\s@/]*(?P<end>@)", anything),
        ("cookie", r"(?i)(?P<keep>\b(?:set-)?cookie\s*:\s*).+", anything),
        ("secret", &named, anything),
        ("secret", spoken, anything),
        ("token", r"(?i)(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/\-]{8,}=*", anything),
        ("AWS key", r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{12,}", anything),
        (
            "token",
            r"\b(?:gh[opusr]_|github_pat_|glpat-|gl[a-z]{2,5}-|xox[a-z]-|xapp-|sk-|sk_live_|sk_test_|rk_live_|pk_live_|AIza|ya29\.|npm_|pypi-|hf_|dckr_pat_|SG\.|dop_v1_|hvs\.|hvb\.|shpat_|whsec_)[\w.\-]{10,}",
            anything,
        ),
        ("webhook", r"https://hooks\.slack\.com/[\w/\-]+", anything),
        ("signature", r"(?i)(?P<keep>[?&](?:sig|signature|x-amz-signature|x-amz-credential|x-goog-signature|code|key)=)[^\s&]+", anything),
        ("e-mail", r"(?i)[a-z0-9._%+'\-]+(?:@|%40)[a-z0-9\-]+(?:\.[a-z0-9\-]+)+", anything),
        ("bank account", r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b", is_iban),
        ("card", r"\b[0-9](?:[ \-]?[0-9]){12,18}\b", is_card),
        ("social security number", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", anything),
        ("phone", r"\+[0-9]{1,3}[ .\-]?(?:\(0?[0-9]{1,4}\)[ .\-]?)?[0-9]{2,4}(?:[ .\-]?[0-9]{2,4}){1,4}\b", anything),
        ("phone", r"(?:\([0-9]{3}\) ?|\b[0-9]{3}[.\-])[0-9]{3}[.\-][0-9]{4}\b", anything),
        ("phone", r"\b0[0-9]{2,4}[ /\-][0-9]{3,4}[ \-]?[0-9]{3,5}\b", anything),
        ("address", r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", is_public_address),
        (
            "address",
            r"(?i)(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,7}(?:%\w+)?|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}",
            is_public_address,
        ),
        ("key", r"[A-Za-z0-9+/_\-]{32,}={0,2}", mixed),
    ];
    // The expressions are constants and a test compiles them.
    table.into_iter().map(|(what, regex, holds)| Pattern { what, regex: Regex::new(regex).expect("a constant"), holds }).collect()
});
