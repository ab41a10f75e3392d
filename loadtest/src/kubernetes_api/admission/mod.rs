//! Admission by the policies that picket ships (`deploy/kubernetes/admission.yaml`), so that what guards a real cluster is what guards a
//! simulated one. A real server reads the namespace from a cache, for up to 130 ms; this one does not.

mod policy;

use super::resource::Place;
use super::status::Status;
use policy::Policy;
use serde_json::{Value, json};
use std::sync::LazyLock;

const SHIPPED: &str = include_str!("../../../../deploy/kubernetes/admission.yaml");

/// Read once. What ships and cannot be read would stop every test.
static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| policy::read(SHIPPED).expect("deploy/kubernetes/admission.yaml"));

/// One write, as policies see it.
pub(super) struct Review<'a> {
    /// Who asks.
    pub user: &'a str,
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub operation: &'static str,
    pub place: &'a Place,
    pub name: &'a str,
    /// The namespace that the object is in.
    pub namespace: Option<&'a Value>,
    pub old: Option<&'a Value>,
    /// `None` when it is deleted.
    pub new: Option<&'a Value>,
}

/// Admits a write or says why not.
pub(super) fn admit(review: &Review<'_>) -> Result<(), Status> {
    let mut matching = POLICIES.iter().filter(|policy| policy.concerns(review)).peekable();
    if matching.peek().is_none() {
        return Ok(());
    }
    let variables = review.variables();
    let denied = |(policy, why): (&str, String)| Status::denied_by_policy(review.place.resource, review.name, policy, &why);
    matching.try_for_each(|policy| policy.admit(&variables).map_err(|why| denied((policy.name.as_str(), why))))
}

impl Review<'_> {
    fn variables(&self) -> Vec<(&'static str, Value)> {
        let resource = self.place.resource;
        let mut request = json!({
            "name": self.name, "namespace": self.place.namespace, "operation": self.operation, "userInfo": {"username": self.user},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        });
        // On a main resource the field is absent, not empty.
        if let Some(sub) = self.place.subresource {
            request["subResource"] = json!(sub.as_str());
        }
        let of = |object: Option<&Value>| object.cloned().unwrap_or(Value::Null);
        vec![("request", request), ("object", of(self.new)), ("oldObject", of(self.old)), ("namespaceObject", of(self.namespace))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTUATOR: &str = "system:serviceaccount:picket:actuator";

    fn bearing(token: &str) -> Value {
        json!({"metadata": {"annotations": {"picket.dev/fencing-token": token}}})
    }

    /// What a policy says, whatever roles allow.
    fn said(operation: &'static str, path: &str, namespace: &Value, old: Option<&Value>, new: Option<&Value>) -> Result<(), String> {
        let place = Place::of(path).unwrap();
        let review = Review { user: ACTUATOR, operation, place: &place, name: "x", namespace: Some(namespace), old, new };
        admit(&review).map_err(|status| status.message)
    }

    #[test]
    fn picket_deletes_nothing_and_writes_no_scale_whatever_token_it_bears() {
        let (fence, nine) = (bearing("5"), bearing("9"));
        let cart = "/apis/apps/v1/namespaces/shop/deployments/cart";
        let refused = |said: Result<(), String>, why: &str| {
            let message = said.unwrap_err();
            assert!(message.contains(why), "{message}");
        };
        assert_eq!(said("UPDATE", cart, &fence, Some(&bearing("8")), Some(&nine)), Ok(()));
        refused(said("DELETE", cart, &fence, Some(&nine), None), "deletes nothing");
        refused(said("UPDATE", &format!("{cart}/scale"), &fence, Some(&nine), Some(&nine)), "no subresource");
        refused(said("UPDATE", cart, &fence, None, Some(&bearing("4"))), "4 is lower than 5, the fence of its namespace");
        refused(said("UPDATE", cart, &fence, Some(&bearing("10")), Some(&nine)), "9 is lower than 10");
        for nothing in ["", "nine", "-1", "9.0", "99999999999999999999"] {
            refused(said("UPDATE", cart, &fence, Some(&nine), Some(&bearing(nothing))), "no annotation");
        }
        refused(said("UPDATE", cart, &fence, Some(&nine), Some(&json!({"metadata": {}}))), "no annotation");
    }

    #[test]
    fn an_eviction_bears_its_token_itself_and_meets_the_namespaces_fence() {
        let evict = "/api/v1/namespaces/shop/pods/cart-1/eviction";
        assert_eq!(said("CREATE", evict, &bearing("5"), None, Some(&bearing("5"))), Ok(()));
        assert!(said("CREATE", evict, &bearing("5"), None, Some(&bearing("4"))).is_err());
    }

    #[test]
    fn objects_without_any_fence_take_the_first_token() {
        let bare = json!({"metadata": {"name": "shop"}});
        assert_eq!(said("UPDATE", "/apis/apps/v1/namespaces/shop/deployments/cart", &bare, Some(&bare), Some(&bearing("0"))), Ok(()));
    }
}
