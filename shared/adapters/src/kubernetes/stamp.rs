//! The stamp that tells who wrote last, and the fence that tells who may write.

use super::objects::Kind;
use super::patch::Fields;
use picket_core::ids::EntryId;
use picket_core::outcome::ObjectRef;
use picket_core::scope::FencingToken;
use serde_json::{Value, json};

/// The ledger entry whose act this object bears.
pub const ACTION_ID: &str = "picket.dev/action-id";
/// The highest token that this object has accepted (I3).
pub const FENCING_TOKEN: &str = "picket.dev/fencing-token";
/// `metadata.generation` that picket's write made: a rollout of a later generation is somebody else's.
pub const STAMPED_GENERATION: &str = "picket.dev/stamped-generation";

/// Replicas that a workload had before picket scaled it to zero: what it goes back to when it is called again.
pub const REPLICAS_BEFORE_ZERO: &str = "picket.dev/replicas-before-zero";

/// Pointer of an annotation.
pub(super) fn annotation(key: &str) -> String {
    format!("/metadata/annotations/{}", super::patch::step(key))
}

/// Value of an annotation.
pub(super) fn read<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The token on an object.
pub(super) fn token(object: &Value) -> Option<FencingToken> {
    read(object, FENCING_TOKEN)?.parse().ok().map(FencingToken)
}

/// Whether the object bears this entry's stamp.
pub(super) fn is_of(object: &Value, entry: &EntryId) -> bool {
    read(object, ACTION_ID) == Some(entry.as_str())
}

/// Whether the server counts the changes of this object's spec.
pub(super) fn counts_generations(at: &ObjectRef) -> bool {
    matches!(Kind::of(&at.kind), Some(Kind::Deployment | Kind::ReplicaSet | Kind::NetworkPolicy))
}

/// The fields that stamp a write.
pub(super) fn fields(at: &ObjectRef, target: Option<&Value>, entry: &EntryId, token: FencingToken) -> Fields {
    let mut fields = Fields::from([(annotation(ACTION_ID), json!(entry.as_str())), (annotation(FENCING_TOKEN), json!(token.to_string()))]);
    // The server counts the generation up by one for a change of the spec; every act on an object that counts is one.
    if counts_generations(at) {
        let generation = target.and_then(|object| object.pointer("/metadata/generation")).and_then(Value::as_i64).unwrap_or(0);
        fields.insert(annotation(STAMPED_GENERATION), json!((generation + 1).to_string()));
    }
    fields
}

/// The fence above `claim`: what a write of that claim can no longer pass.
///
/// One more is enough: tokens of a scope strictly rise (I2), so the next claim carries at least this token, and the sink refuses only lower ones.
pub(super) fn above(claim: FencingToken, standing: Option<FencingToken>) -> FencingToken {
    standing.unwrap_or_default().max(FencingToken(claim.0.saturating_add(1)))
}
