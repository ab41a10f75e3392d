//! Objects in memory, by the rules of an API server: versions, generations, dry run, and the sink's fence.

use super::objects::{Kind, Mode, Objects};
use super::patch::merge;
use super::stamp;
use picket_core::outcome::ObjectRef;
use picket_core::ports::{PortError, PortResult};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Objects in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct InMemoryObjects {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    objects: BTreeMap<ObjectRef, Value>,
}

impl InMemoryObjects {
    /// Puts an object there as somebody else would: unconditionally, past the fence.
    pub fn put(&self, mut object: Value) -> Value {
        let at = name_of(&object);
        let mut state = self.lock();
        let old = state.objects.get(&at).cloned();
        settle(&mut object, old.as_ref());
        state.store(&at, object)
    }

    /// Reads one object.
    #[must_use]
    pub fn read(&self, at: &ObjectRef) -> Option<Value> {
        self.lock().objects.get(at).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The map is consistent between statements: a panic of another holder does not damage it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn namespace_of(&self, at: &ObjectRef) -> Option<&Value> {
        self.objects.get(&Kind::namespace(&at.namespace))
    }

    fn store(&mut self, at: &ObjectRef, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(at.clone(), object.clone());
        object
    }
}

fn name_of(object: &Value) -> ObjectRef {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectRef { kind: text("/kind"), namespace: text("/metadata/namespace"), name: text("/metadata/name") }
}

/// What the server fills in itself: uid, and the generation, which counts the changes of a spec.
fn settle(object: &mut Value, old: Option<&Value>) {
    let at = name_of(object);
    let counts = at.kind == Kind::Deployment.as_str() || at.kind == Kind::NetworkPolicy.as_str();
    match old {
        Some(old) => {
            object["metadata"]["uid"] = old["metadata"]["uid"].clone();
            if counts {
                let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
                object["metadata"]["generation"] = json!(generation + i64::from(old["spec"] != object["spec"]));
            }
        }
        None => {
            object["metadata"]["uid"] = json!(format!("uid-{}-{}", at.namespace, at.name));
            if counts {
                object["metadata"]["generation"] = json!(1);
            }
        }
    }
}

fn fence(at: &ObjectRef, namespace: Option<&Value>, old: Option<&Value>, new: &Value) -> PortResult<()> {
    let Some(new) = stamp::token(new) else { return Err(refused(at, "the write bears no fencing token")) };
    if old.and_then(stamp::token).is_some_and(|old| new < old) {
        return Err(refused(at, "the fencing token is lower than one already accepted"));
    }
    if namespace.and_then(stamp::token).is_some_and(|fence| new < fence) {
        return Err(refused(at, "the fencing token is lower than the fence of the namespace"));
    }
    Ok(())
}

fn refused(at: &ObjectRef, why: &str) -> PortError {
    PortError::Refused { what: label(at), why: why.to_owned() }
}

fn label(at: &ObjectRef) -> String {
    format!("{} {}/{}", at.kind, at.namespace, at.name)
}

impl Objects for InMemoryObjects {
    async fn get(&self, at: &ObjectRef) -> PortResult<Value> {
        self.read(at).ok_or_else(|| PortError::NotFound { what: label(at) })
    }

    async fn list(&self, kind: Kind, namespace: Option<&str>) -> PortResult<Vec<Value>> {
        let state = self.lock();
        let wanted = |at: &ObjectRef| at.kind == kind.as_str() && namespace.is_none_or(|namespace| at.namespace == namespace);
        Ok(state.objects.iter().filter(|(at, _)| wanted(at)).map(|(_, object)| object.clone()).collect())
    }

    async fn patch(&self, at: &ObjectRef, patch: &Value, mode: Mode) -> PortResult<Value> {
        let mut state = self.lock();
        let old = state.objects.get(at).cloned().ok_or_else(|| PortError::NotFound { what: label(at) })?;
        let condition = patch.pointer("/metadata/resourceVersion");
        if condition.is_some_and(|version| *version != old["metadata"]["resourceVersion"]) {
            return Err(PortError::Conflict { what: label(at) });
        }
        let mut new = old.clone();
        merge(&mut new, patch);
        fence(at, state.namespace_of(at), Some(&old), &new)?;
        settle(&mut new, Some(&old));
        Ok(if mode == Mode::Commit { state.store(at, new) } else { new })
    }

    async fn create(&self, at: &ObjectRef, object: &Value, mode: Mode) -> PortResult<Value> {
        let mut state = self.lock();
        if state.objects.contains_key(at) {
            return Err(PortError::Conflict { what: label(at) });
        }
        let mut new = object.clone();
        fence(at, state.namespace_of(at), None, &new)?;
        settle(&mut new, None);
        Ok(if mode == Mode::Commit { state.store(at, new) } else { new })
    }

    async fn may(&self, _verb: &str, _at: &ObjectRef) -> PortResult<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{self, World};
    use super::*;

    impl World for InMemoryObjects {
        type Objects = Self;

        fn objects(&self) -> Self {
            self.clone()
        }
        fn put_as_somebody_else(&self, object: Value) {
            self.put(object);
        }
        fn read(&self, at: &ObjectRef) -> Option<Value> {
            InMemoryObjects::read(self, at)
        }
    }

    #[tokio::test]
    async fn conforms() {
        conformance::all(|| async { InMemoryObjects::default() }).await;
    }
}
