//! Claims that a coordinator confirmed: signed as its leader signs them.

use ed25519_dalek::SigningKey;
use picket_core::claim::{ClaimBody, ClaimConfirmation, ClaimedAction};
use picket_core::permit::{Permit, PermitBody};
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;

/// When everything happens.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Leave to do `work` as `entry` under `token`, from a key of the suite's own.
///
/// # Panics
/// Never: what is signed here verifies.
#[must_use]
pub fn claimed(entry: &str, work: &Work, token: u64) -> ClaimedAction {
    let key = SigningKey::from_bytes(&[7; 32]);
    let service = &work.action().service;
    let token = FencingToken(token);
    let permit = PermitBody {
        entry: entry.into(),
        cluster: service.cluster.clone(),
        work: work.clone(),
        digest: work.digest(),
        tokens: [(Scope::of(service), token)].into(),
        reserved_pods: 1,
        issued_at: NOW,
        expires_at: NOW.plus_ms(20_000),
        stop_epoch: 0,
        restore_epoch: 0,
        demonstration: false,
    };
    let claim = ClaimBody {
        entry: entry.into(),
        digest: work.digest(),
        actuator_epoch: 1,
        claimed_at: NOW,
        act_deadline: NOW.plus_ms(30_000),
        token,
    };
    ClaimedAction::confirm(&Permit::sign(permit, &key), &ClaimConfirmation::sign(claim, &key), 1, &key.verifying_key())
        .expect("signed with one key")
}
