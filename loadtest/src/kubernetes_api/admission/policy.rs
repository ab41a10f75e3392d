//! ValidatingAdmissionPolicies: read, matched and evaluated, as far as picket's own use them.

use super::Review;
use cel::objects::{Key, Map};
use cel::{Context, Program, Value as Cel};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// One policy that a binding puts in force.
pub(super) struct Policy {
    pub name: String,
    rules: Vec<Rule>,
    conditions: Vec<Program>,
    variables: Vec<(String, Program)>,
    validations: Vec<Validation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    operations: Vec<String>,
    resources: Vec<String>,
}

struct Validation {
    holds: Program,
    message: String,
    message_expression: Option<Program>,
}

/// Policies that a `Deny` binding of the same document names.
///
/// # Errors
/// Says which expression or field cannot be read.
pub(super) fn read(yaml: &str) -> Result<Vec<Policy>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(|e| e.to_string())?;
    let of_kind = |kind: &'static str| documents.iter().filter(move |document| document["kind"] == kind);
    let bound = |name: &Value| {
        of_kind("ValidatingAdmissionPolicyBinding").any(|binding| {
            let denies = binding["spec"]["validationActions"].as_array().is_some_and(|actions| actions.contains(&"Deny".into()));
            denies && binding["spec"]["policyName"] == *name
        })
    };
    of_kind("ValidatingAdmissionPolicy").filter(|policy| bound(&policy["metadata"]["name"])).map(Policy::read).collect()
}

fn program(source: &Value) -> Result<Program, String> {
    let source = source.as_str().ok_or("an expression is missing")?;
    Program::compile(source).map_err(|e| format!("{source}: {e}"))
}

fn list<'a>(spec: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    spec[key].as_array().into_iter().flatten()
}

impl Policy {
    fn read(policy: &Value) -> Result<Self, String> {
        let spec = &policy["spec"];
        if spec["failurePolicy"] != "Fail" {
            return Err("failurePolicy must be Fail: an expression that fails admits nothing".into());
        }
        let validation = |v: &Value| {
            let message_expression = v.get("messageExpression").map(program).transpose()?;
            let message = v["message"].as_str().unwrap_or_default().to_owned();
            Ok(Validation { holds: program(&v["expression"])?, message, message_expression })
        };
        Ok(Self {
            name: policy["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            rules: serde_json::from_value(spec["matchConstraints"]["resourceRules"].clone()).map_err(|e| e.to_string())?,
            conditions: list(spec, "matchConditions").map(|c| program(&c["expression"])).collect::<Result<_, _>>()?,
            variables: list(spec, "variables")
                .map(|v| Ok((v["name"].as_str().unwrap_or_default().to_owned(), program(&v["expression"])?)))
                .collect::<Result<_, String>>()?,
            validations: list(spec, "validations").map(validation).collect::<Result<_, String>>()?,
        })
    }

    /// Whether a rule matches the operation and the resource.
    pub(super) fn concerns(&self, review: &Review<'_>) -> bool {
        let resource = review.place.resource;
        let says = |listed: &[String], is: &str| listed.iter().any(|one| one == "*" || one == is);
        let named = |listed: &[String]| {
            let is = review.place.in_rules();
            // `*` is every resource without its subresources, `*/*` is every one with them.
            listed.iter().any(|one| one == "*/*" || *one == is || (one == "*" && review.place.subresource.is_none()))
        };
        self.rules
            .iter()
            .any(|rule| says(&rule.api_groups, resource.group) && says(&rule.operations, review.operation) && named(&rule.resources))
    }

    /// # Errors
    /// The message of the first validation that does not hold. An expression that fails counts as one that does not hold.
    pub(super) fn admit(&self, given: &[(&'static str, Value)]) -> Result<(), String> {
        let mut context = Context::default();
        for (name, value) in given {
            context.add_variable(*name, value.clone()).map_err(|e| format!("{name}: {e}"))?;
        }
        for condition in &self.conditions {
            match condition.execute(&context) {
                Ok(Cel::Bool(true)) => {}
                Ok(Cel::Bool(false)) => return Ok(()),
                other => return Err(format!("a match condition failed: {other:?}")),
            }
        }
        let mut computed: HashMap<Key, Cel> = HashMap::new();
        for (name, variable) in &self.variables {
            // One that fails is absent: whoever asks for it fails.
            if let Ok(value) = variable.execute(&context) {
                computed.insert(Key::String(Arc::new(name.clone())), value);
            }
        }
        context.add_variable_from_value("variables", Cel::Map(Map { map: Arc::new(computed) }));
        for validation in &self.validations {
            match validation.holds.execute(&context) {
                Ok(Cel::Bool(true)) => {}
                Ok(Cel::Bool(false)) => return Err(validation.message(&context)),
                other => return Err(format!("an expression failed: {other:?}")),
            }
        }
        Ok(())
    }
}

impl Validation {
    fn message(&self, context: &Context<'_, '_>) -> String {
        match self.message_expression.as_ref().map(|program| program.execute(context)) {
            Some(Ok(Cel::String(message))) => (*message).clone(),
            _ => self.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_ships_can_be_read() {
        let names: Vec<_> = read(super::super::SHIPPED).unwrap().into_iter().map(|policy| policy.name).collect();
        assert_eq!(names, ["picket-fence", "picket-fence-of-others"]);
        // What the interpreter at hand has no types for is compiled as far as it goes.
        let keep: Vec<Value> = serde_saphyr::from_multiple(include_str!("../../../../deploy/kubernetes/keep-token.yaml")).unwrap();
        for condition in keep[0]["spec"]["matchConditions"].as_array().unwrap() {
            program(&condition["expression"]).unwrap();
        }
        assert_eq!(keep[1]["spec"]["policyName"], keep[0]["metadata"]["name"]);
    }

    #[test]
    fn what_fails_admits_nothing() {
        let policy = |expression: &str| {
            let policy = format!(
                "kind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n  failurePolicy: Fail\n  matchConstraints: {{resourceRules: []}}\n  validations:\n    - expression: \"{expression}\"\n      message: nope\n---\nkind: ValidatingAdmissionPolicyBinding\nspec: {{policyName: p, validationActions: [Deny]}}\n"
            );
            read(&policy)
        };
        let given = [("object", serde_json::json!({"a": "x"}))];
        assert!(policy("object.a == 'x'").unwrap()[0].admit(&given).is_ok());
        assert_eq!(policy("object.a == 'y'").unwrap()[0].admit(&given), Err("nope".to_owned()));
        assert!(policy("int(object.a) > 1").unwrap()[0].admit(&given).unwrap_err().contains("failed"));
        assert!(policy("object.").is_err());
    }
}
