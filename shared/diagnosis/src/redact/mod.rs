//! Takes secrets and personal data out of a text before it leaves the mesh.
//!
//! Rather too much than too little: what is lost is a word in a prompt. Kept on purpose are what picket reasons about: names of services,
//! pods and images, versions, figures, and addresses of private networks (pods and nodes have those; RFC 1918, 6598, 4193). Public addresses
//! are somebody's and go.

mod checksums;
mod patterns;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// The text without what must not leave. Where something stood, `[redacted: WHAT]` stands; characters that nobody sees are gone.
#[must_use]
pub fn redact(text: &str) -> String {
    // First what hides: a secret that is split by invisible characters is found only without them.
    let mut text = visible(text).into_owned();
    for pattern in patterns::ALL.iter() {
        if let Cow::Owned(changed) = pattern.apply(&text) {
            text = changed;
        }
    }
    text
}

/// The text without control characters (a line break becomes a space), formatting and direction marks, and tag characters: models read them,
/// people do not.
fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => Some(' '),
        c => is_visible(c).then_some(c),
    };
    Cow::Owned(text.chars().filter_map(shown).collect())
}

const fn is_visible(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
