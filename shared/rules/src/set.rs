//! A set of rules that was read and found to fit the schema.

use crate::{SCHEMA, question};
use cedar_policy::{Authorizer, Decision, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use picket_core::rules::{RULES_BYTES_MAX, RuleAnswer, RuleQuestion};

/// Why a text is no set of rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is too long.
    #[error("{bytes} bytes of rules; {RULES_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is not Cedar.
    #[error("this is not Cedar: {0}")]
    Unreadable(String),
    /// It does not fit the schema: a misspelt attribute, an action that does not exist.
    #[error("the rules do not fit picket's schema: {0}")]
    Unfit(String),
    /// Templates are not for here: nobody would fill them in.
    #[error("rule {0} is a template; write it out")]
    Template(String),
    /// The schema that ships is broken.
    #[error("picket's own schema cannot be read: {0}")]
    Schema(String),
}

/// Rules that can be asked.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: PolicySet,
    schema: Schema,
    version: u64,
}

impl RuleSet {
    /// Reads rules and holds them against the schema, strictly. `version` is that of the policy they stand in.
    ///
    /// # Errors
    /// [`RuleError`] says what is wrong, and where.
    pub fn read(text: &str, version: u64) -> Result<Self, RuleError> {
        if text.len() > RULES_BYTES_MAX {
            return Err(RuleError::TooLong { bytes: text.len() });
        }
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| RuleError::Schema(e.to_string()))?;
        let rules: PolicySet = text.parse().map_err(|e: cedar_policy::ParseErrors| RuleError::Unreadable(e.to_string()))?;
        if let Some(template) = rules.templates().next() {
            return Err(RuleError::Template(template.id().to_string()));
        }
        let found = Validator::new(schema.clone()).validate(&rules, ValidationMode::Strict);
        let wrong: Vec<String> = found.validation_errors().map(ToString::to_string).collect();
        if wrong.is_empty() { Ok(Self { rules, schema, version }) } else { Err(RuleError::Unfit(wrong.join("; "))) }
    }

    /// What their writer calls them, or else their places.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.rules.policies().map(|rule| self.name(rule.id())).collect()
    }

    /// What they say of an act.
    #[must_use]
    pub fn ask(&self, question: &RuleQuestion) -> RuleAnswer {
        let no = |why: String| RuleAnswer { policy_version: self.version, allowed: false, by: Vec::new(), errors: vec![why] };
        let (request, entities) = match question::of(question, &self.schema) {
            Ok(asked) => asked,
            Err(why) => return no(why),
        };
        let response = Authorizer::new().is_authorized(&request, &self.rules, &entities);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        let mut by: Vec<String> = response.diagnostics().reason().map(|id| self.name(id)).collect();
        by.sort_unstable();
        RuleAnswer { policy_version: self.version, allowed: response.decision() == Decision::Allow && errors.is_empty(), by, errors }
    }

    /// What its writer calls a rule (`@id("…")`), or else its place.
    fn name(&self, id: &PolicyId) -> String {
        self.rules.annotation(id, "id").map_or_else(|| id.to_string(), ToOwned::to_owned)
    }
}
