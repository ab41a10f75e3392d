//! Says yes or no to the coordinator in a person's name.

use crate::people::ApproverName;
use picket_core::action::Digest;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{EntryId, RequestId};
use picket_core::ports::{Coordinator, PortError, PortResult};
use std::collections::BTreeMap;

/// Approves and denies as a person. The coordinator takes the principal from the connection: whoever implements this holds one per person.
pub trait Approver: Send + Sync + 'static {
    /// Yes, to exactly this digest as shown under this stop epoch [M7, M8]. The same `request_id` MUST get the first answer again.
    fn approve(
        &self,
        person: &ApproverName,
        request_id: RequestId,
        entry: EntryId,
        digest: Digest,
        stop_epoch: u64,
    ) -> impl Future<Output = PortResult<Answer>> + Send;

    /// No. The same `request_id` MUST get the first answer again.
    fn deny(
        &self,
        person: &ApproverName,
        request_id: RequestId,
        entry: EntryId,
        why: String,
    ) -> impl Future<Output = PortResult<Answer>> + Send;
}

/// One coordinator client per person, each with that person's certificate.
#[derive(Debug)]
pub struct PerPerson<C>(BTreeMap<String, C>);

impl<C> PerPerson<C> {
    /// Takes the clients by the person's name, without `human:`.
    #[must_use]
    pub fn new(clients: impl IntoIterator<Item = (String, C)>) -> Self {
        Self(clients.into_iter().collect())
    }

    fn of(&self, person: &ApproverName) -> PortResult<&C> {
        let name = person.person();
        self.0.get(name.as_str()).ok_or_else(|| PortError::Refused {
            what: format!("the coordinator as human:{name}"),
            why: "there is no certificate for this person; issue one and restart".to_owned(),
        })
    }
}

impl<C: Coordinator + 'static> Approver for PerPerson<C> {
    async fn approve(
        &self,
        person: &ApproverName,
        request_id: RequestId,
        entry: EntryId,
        digest: Digest,
        stop_epoch: u64,
    ) -> PortResult<Answer> {
        self.of(person)?.submit(request_id, Command::Approve { entry, digest, stop_epoch }).await
    }

    async fn deny(&self, person: &ApproverName, request_id: RequestId, entry: EntryId, why: String) -> PortResult<Answer> {
        self.of(person)?.submit(request_id, Command::Deny { entry, why }).await
    }
}
