//! A question in Cedar's terms: principal, action, resource, context, and what is known of the resource.

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression, Schema};
use picket_core::rules::RuleQuestion;
use std::collections::{HashMap, HashSet};

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = format!("Picket::{kind}").parse().map_err(|e| format!("{kind}: {e}"))?;
    Ok(EntityUid::from_type_name_and_id(kind, id.parse().map_err(|e| format!("{id}: {e}"))?))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: impl Into<i64>) -> RestrictedExpression {
    RestrictedExpression::new_long(number.into())
}

/// The request, and the entities that it speaks of.
///
/// # Errors
/// When the question does not fit the schema, in words.
pub(crate) fn of(question: &RuleQuestion, schema: &Schema) -> Result<(Request, Entities), String> {
    let q = question;
    let principal = uid("Agent", q.agent.as_str())?;
    let action = uid("Action", q.kind.as_str())?;
    let cluster = uid("Cluster", q.service.cluster.as_str())?;
    let namespace = uid("Namespace", &format!("{}/{}", q.service.cluster, q.service.namespace))?;
    let service = uid("Service", &q.service.to_string())?;
    // A confidence that is no number is none.
    let hundredths = if q.confidence.is_finite() { (q.confidence.clamp(0.0, 1.0) * 100.0).floor() as i64 } else { 0 };
    let mut context = vec![
        ("cause".to_owned(), text(q.cause.as_str())),
        ("severity".to_owned(), long(q.severity.number())),
        ("confidence".to_owned(), long(hundredths)),
        ("phase".to_owned(), text(q.phase.as_str())),
        ("hour".to_owned(), long(q.hour())),
        ("weekday".to_owned(), long(q.weekday())),
        ("namespaces_touched".to_owned(), long(q.namespaces_touched)),
        ("cost_pods".to_owned(), long(q.cost_pods)),
        ("reversible".to_owned(), RestrictedExpression::new_bool(q.is_reversible())),
    ];
    if let Some(saving) = q.monthly_saving_usd.filter(|usd| usd.is_finite()) {
        context.push(("saving_usd".to_owned(), long(saving as i64)));
    }
    let context = Context::from_pairs(context).map_err(|e| e.to_string())?;
    let request = Request::new(principal.clone(), action, service.clone(), context, Some(schema)).map_err(|e| e.to_string())?;
    let attributes = HashMap::from([
        ("name".to_owned(), text(&q.service.name)),
        ("tier".to_owned(), long(q.tier)),
        ("ready".to_owned(), long(q.ready)),
        ("desired".to_owned(), long(q.desired)),
        ("dependants".to_owned(), long(q.dependants)),
        ("foreign_rollout".to_owned(), RestrictedExpression::new_bool(q.foreign_rollout)),
    ]);
    let tags = q.labels.iter().map(|(key, value)| (key.clone(), text(value)));
    let entities = [
        Entity::new_no_attrs(principal, HashSet::new()),
        Entity::new_no_attrs(cluster.clone(), HashSet::new()),
        Entity::new_no_attrs(namespace.clone(), HashSet::from([cluster])),
        Entity::new_with_tags(service, attributes, [namespace], tags).map_err(|e| e.to_string())?,
    ];
    let entities = Entities::from_entities(entities, Some(schema)).map_err(|e| e.to_string())?;
    Ok((request, entities))
}
