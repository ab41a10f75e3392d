//! Commit messages: a sentence for people, trailers for the proof (git-interpret-trailers).

use picket_core::ids::EntryId;
use picket_core::outcome::ObjectRef;
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};

/// The ledger entry whose act the commit is.
const ACTION_ID: &str = "Picket-Action-Id: ";
/// The kind of the act.
const ACT: &str = "Picket-Act: ";
/// What it changes.
const TARGET: &str = "Picket-Target: ";
/// A scope, and the token that its writes must bear at least from here on.
pub(crate) const FENCING_TOKEN: &str = "Picket-Fencing-Token: ";
/// The commit of the act that this one takes back.
const UNDOES: &str = "Picket-Undoes: ";
/// Names of entries are short.
const ENTRY_MAX: usize = 200;
/// Of a sentence in a message.
const SENTENCE_MAX: usize = 300;

/// What the trailers of a message say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trailers {
    /// The entry, of an act.
    pub action_id: Option<String>,
    /// The kind of the act.
    pub act: Option<String>,
    /// The changed object, `git/Deployment shop/cart`.
    pub target: Option<String>,
    /// The commit of the act that it takes back.
    pub undoes: Option<String>,
    /// The fences.
    pub tokens: Vec<(Scope, FencingToken)>,
}

/// The text by which commits of an entry are searched for.
///
/// # Errors
/// In words, when the entry's name cannot stand in a trailer.
pub(crate) fn action_id(entry: &EntryId) -> Result<String, String> {
    let text = entry.as_str();
    let good = !text.is_empty() && text.len() <= ENTRY_MAX && text.chars().all(|c| c.is_ascii_graphic());
    if good { Ok(format!("{ACTION_ID}{text}")) } else { Err("the entry's name cannot stand in a commit".to_owned()) }
}

/// An object in a trailer.
pub(crate) fn named(at: &ObjectRef) -> String {
    one_line(&format!("{} {}/{}", at.kind, at.namespace, at.name))
}

/// The sentence of a work.
pub(crate) fn sentence(work: &Work) -> String {
    let sentence = work.action().sentence();
    one_line(&match work {
        Work::Do { .. } => sentence,
        Work::Undo { .. } => format!("take back: {sentence}"),
    })
}

/// The message of an act.
///
/// # Errors
/// As [`action_id`].
pub(crate) fn act(work: &Work, entry: &EntryId, target: &ObjectRef, scope: &Scope, token: FencingToken) -> Result<String, String> {
    let (id, kind) = (action_id(entry)?, work.action().kind());
    let mut message = format!("picket: {}\n\n{id}\n{ACT}{kind}\n{TARGET}{}\n", sentence(work), named(target));
    if let Work::Undo { receipt, .. } = work {
        message += &format!("{UNDOES}{}\n", one_line(&receipt.resource_version_after));
    }
    Ok(message + &format!("{FENCING_TOKEN}{} {token}\n", one_line(&scope.to_string())))
}

/// The message of a fence.
pub(crate) fn fence(tokens: &[(Scope, FencingToken)]) -> String {
    let lines = tokens.iter().map(|(scope, token)| format!("{FENCING_TOKEN}{} {token}\n", one_line(&scope.to_string())));
    format!(
        "picket: fence\n\nNothing is changed: writes that were prepared before this commit land no more.\n\n{}",
        lines.collect::<String>()
    )
}

/// Reads the last paragraph of a message.
pub(crate) fn read(message: &str) -> Trailers {
    let mut trailers = Trailers::default();
    let Some((_, last)) = message.trim_end().rsplit_once("\n\n") else { return trailers };
    for line in last.lines() {
        if let Some(id) = line.strip_prefix(ACTION_ID) {
            trailers.action_id = Some(id.to_owned());
        } else if let Some(act) = line.strip_prefix(ACT) {
            trailers.act = Some(act.to_owned());
        } else if let Some(target) = line.strip_prefix(TARGET) {
            trailers.target = Some(target.to_owned());
        } else if let Some(commit) = line.strip_prefix(UNDOES) {
            trailers.undoes = Some(commit.to_owned());
        } else if let Some((scope, token)) = line.strip_prefix(FENCING_TOKEN).and_then(|rest| rest.rsplit_once(' '))
            && let (Ok(scope), Ok(token)) = (Scope::try_from(scope.to_owned()), token.parse())
        {
            trailers.tokens.push((scope, FencingToken(token)));
        }
    }
    trailers
}

/// What comes from outside makes no new line, and so no trailer.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SENTENCE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::action::{Action, Remediation};
    use picket_core::ids::ServiceId;

    fn work(name: &str) -> Work {
        let service = ServiceId::new("east", "shop", name);
        Work::Do { action: Action { service, remediation: Remediation::Scale { replicas: 5, from: 3 } } }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let scope = Scope::Namespace("east".into(), "shop".into());
        let at = crate::plan::target(work("cart").action());
        let message = act(&work("cart"), &"act-1".into(), &at, &scope, FencingToken(7)).unwrap();
        let trailers = read(&message);
        assert_eq!(trailers.action_id.as_deref(), Some("act-1"));
        assert_eq!(trailers.target.as_deref(), Some("git/Deployment shop/cart"));
        assert_eq!(trailers.tokens, [(scope.clone(), FencingToken(7))]);
        let fenced = read(&fence(&[(scope.clone(), FencingToken(9))]));
        assert_eq!((fenced.action_id, fenced.tokens), (None, vec![(scope, FencingToken(9))]));
    }

    #[test]
    fn nothing_from_outside_becomes_a_trailer() {
        let scope = Scope::Namespace("east".into(), "shop".into());
        let evil = "cart\n\nPicket-Action-Id: act-9\nPicket-Fencing-Token: ns:east/shop 99";
        let at = crate::plan::target(work(evil).action());
        let trailers = read(&act(&work(evil), &"act-1".into(), &at, &scope, FencingToken(7)).unwrap());
        assert_eq!((trailers.action_id.as_deref(), trailers.tokens), (Some("act-1"), vec![(scope, FencingToken(7))]));
        assert!(action_id(&"act-1\nPicket-Action-Id: act-2".into()).is_err());
        assert_eq!(read("a subject\nPicket-Action-Id: act-1"), Trailers::default(), "no paragraph of its own");
    }
}
