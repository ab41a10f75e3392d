//! The coordinator's own nodes.

use crate::CoordinatorClient;
use crate::client::Call;
use picket_core::ids::RequestId;
use picket_core::membership::{MemberChange, MemberRequest, MembersView};
use picket_core::ports::PortResult;

impl CoordinatorClient {
    /// Who they are, as the leader sees them.
    ///
    /// # Errors
    /// `Unavailable` or `Timeout` when no node answers.
    pub async fn members(&self) -> PortResult<MembersView> {
        self.call(&Call::Read { path: "/v1/members", query: &[], server_waits_ms: 0 }).await
    }

    /// Changes them; people only. Each attempt goes to another node until the leader has it, so every node must be an endpoint.
    ///
    /// # Errors
    /// `Refused` with the reason; `Timeout` when the outcome is not known: the same request may be sent again.
    pub async fn change_members(&self, request_id: RequestId, change: MemberChange) -> PortResult<MembersView> {
        self.call(&Call::ChangeMembers(&MemberRequest { request_id, change })).await
    }
}
