//! Who a Slack account stands for, and what that person may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a person may do from a chat.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Approve and deny.
    Approver,
    /// Look.
    #[default]
    Viewer,
}

/// A person's name, as in their certificate (`human:kim` → `kim`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// Takes 1 to 64 letters, digits, `.`, `_`, `-` or `@`.
    ///
    /// # Errors
    /// In words.
    pub fn new(text: &str) -> Result<Self, String> {
        let good = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
        if good { Ok(Self(text.to_owned())) } else { Err("must be 1 to 64 letters, digits, `.`, `_`, `-` or `@`".to_owned()) }
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Slack member id (`U…` or `W…`), as Slack signs it into every interaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlackUser(String);

impl SlackUser {
    /// Takes `U` or `W` and 2 to 31 capital letters or digits.
    ///
    /// # Errors
    /// In words.
    pub fn new(text: &str) -> Result<Self, String> {
        let good = (3..=32).contains(&text.len())
            && text.starts_with(['U', 'W'])
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if good { Ok(Self(text.to_owned())) } else { Err("is not a Slack member id such as U012AB3CD".to_owned()) }
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlackUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody who may decide: made by [`Directory::approver`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproverName(PersonName);

impl ApproverName {
    /// The person.
    #[must_use]
    pub const fn person(&self) -> &PersonName {
        &self.0
    }
}

/// Why somebody may not decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnApprover {
    /// The account stands for nobody.
    #[error("this Slack account is not mapped to a person; ask whoever keeps picket's settings to add it under `slack.people`")]
    Unknown,
    /// The person may only look.
    #[error("{0} may look and not decide: the role is `viewer`")]
    Viewer(PersonName),
}

/// Maps Slack accounts to people.
#[derive(Clone, Debug, Default)]
pub struct Directory(BTreeMap<SlackUser, (PersonName, Role)>);

impl Directory {
    /// Takes pairs of account and person; a later one for the same account replaces the former (settings refuse that before).
    #[must_use]
    pub fn new(people: impl IntoIterator<Item = (SlackUser, PersonName, Role)>) -> Self {
        Self(people.into_iter().map(|(user, person, role)| (user, (person, role))).collect())
    }

    /// Who decides when this account presses a button.
    ///
    /// # Errors
    /// When nobody does.
    pub fn approver(&self, user: &SlackUser) -> Result<ApproverName, NotAnApprover> {
        match self.0.get(user) {
            Some((person, Role::Approver)) => Ok(ApproverName(person.clone())),
            Some((person, Role::Viewer)) => Err(NotAnApprover::Viewer(person.clone())),
            None => Err(NotAnApprover::Unknown),
        }
    }

    /// Everybody who may decide: who needs a certificate of their own.
    #[must_use]
    pub fn approvers(&self) -> Vec<PersonName> {
        let mut names: Vec<_> = self.0.values().filter(|(_, role)| *role == Role::Approver).map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mapped_approver_decides() {
        let user = |id: &str| SlackUser::new(id).unwrap();
        let person = |name: &str| PersonName::new(name).unwrap();
        let directory = Directory::new([
            (user("U1AB"), person("kim"), Role::Approver),
            (user("U2AB"), person("lee"), Role::Viewer),
            (user("W3AB"), person("kim"), Role::Approver),
        ]);
        assert_eq!(directory.approver(&user("U1AB")).unwrap().person().as_str(), "kim");
        assert_eq!(directory.approver(&user("U2AB")), Err(NotAnApprover::Viewer(person("lee"))));
        assert_eq!(directory.approver(&user("U9AB")), Err(NotAnApprover::Unknown));
        assert_eq!(directory.approvers(), [person("kim")]);
    }

    #[test]
    fn ids_and_names_are_plain() {
        for bad in ["", "U", "B123", "U12ab", "U1\n2", "U<!here>"] {
            assert!(SlackUser::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a/b", "kim\n"] {
            assert!(PersonName::new(bad).is_err(), "{bad}");
        }
    }
}
