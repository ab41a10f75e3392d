//! Taking an act back [M5].

use super::{Manifest, Reading, STAMP, Text, edited, quarantine, spliced, target, wanted};
use crate::pointer::{Fields, standing};
use crate::yaml::Told;
use picket_core::action::{Action, Remediation, Reversibility};
use picket_core::outcome::Receipt;
use picket_core::quarantine::lifted_spec;
use serde_json::Value;

/// Every field that the act wrote must still stand; they become what they were, and no other. Where the file is as the act left it, it
/// becomes what it was, byte by byte.
pub(super) fn text(action: &Action, reading: &Reading, found: Option<&Manifest>, receipt: &Receipt) -> Told<Text> {
    if action.kind().reversibility() == Reversibility::None {
        return Err(format!("{} cannot be taken back", action.kind()));
    }
    if receipt.object != target(action) {
        return Err("the receipt is of another object".to_owned());
    }
    let (file, found) = reading.file.as_ref().zip(found).ok_or("it does not exist any more")?;
    let written = |fields: &Fields| -> Fields {
        fields.iter().filter(|(pointer, _)| *pointer != STAMP).map(|(p, v)| (p.clone(), v.clone())).collect()
    };
    let (before, after) = (written(&receipt.before), written(&receipt.after));
    for (pointer, value) in standing(&found.object, after.keys()) {
        if after[&pointer] != value {
            return Err(format!("{pointer} was changed since by somebody else: it is {value}, the act had left {}", after[&pointer]));
        }
    }
    let keys: Vec<String> = before.keys().cloned().collect();
    if matches!(action.remediation, Remediation::Quarantine) {
        return Ok((keys, quarantine::file(&action.service, &lifted_spec())));
    }
    if let Some(earlier) = reading.earlier.as_ref().filter(|_| reading.left.as_ref() == Some(&file.text)) {
        return Ok((keys, earlier.clone()));
    }
    let changed: Fields = before.into_iter().filter(|(pointer, value)| after.get(pointer) != Some(value)).collect();
    let (whole, single): (Fields, Fields) = changed.into_iter().partition(|(_, value)| value.is_object() || value.is_array());
    let mut file = file.clone();
    file.text = edited(&file, found, &single)?;
    for pointer in whole.keys() {
        let earlier = reading.earlier.as_ref().ok_or("the branch does not hold the file any more as it was before the act")?;
        file.text = spliced(&file, wanted(&target(action)), pointer, earlier)?;
    }
    let now = crate::manifest::only(&file.text, wanted(&target(action)))?;
    let restored = standing(&now.object, whole.keys());
    if restored.iter().any(|(pointer, value): (&String, &Value)| whole.get(pointer) != Some(value)) {
        return Err("the file before the act does not say what the receipt says".to_owned());
    }
    Ok((keys, file.text))
}
