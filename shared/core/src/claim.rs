//! The claim: the moment that counts.

use crate::action::Digest;
use crate::ids::EntryId;
use crate::permit::{Permit, PermitBody, SignatureError};
use crate::proposal::Work;
use crate::scope::FencingToken;
use crate::time::Timestamp;
use ed25519_dalek::{SigningKey, VerifyingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an actuator sends before its first write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimRequest {
    /// The permit's entry.
    pub entry: EntryId,
    /// The work's digest.
    pub digest: Digest,
    /// The actuator's lease of its own.
    pub actuator_epoch: u64,
    /// Digest of the target as it was read before: the write's precondition is exactly that version [M3].
    pub before_digest: Digest,
    /// Hash of the audit record that is already durable (I8).
    pub audit_hash: Digest,
}

/// What the coordinator answers, once the claim is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimBody {
    /// The entry.
    pub entry: EntryId,
    /// The work's digest.
    pub digest: Digest,
    /// Who claimed it.
    pub actuator_epoch: u64,
    /// When (coordinator time).
    pub claimed_at: Timestamp,
    /// The last moment for a report (coordinator time). The actuator's own deadline is shorter.
    pub act_deadline: Timestamp,
    /// The token to stamp.
    pub token: FencingToken,
}

/// A committed claim, signed by the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimConfirmation {
    /// What was committed.
    pub body: ClaimBody,
    /// Ed25519 over the body's JSON, hex.
    pub signature: String,
}

impl ClaimConfirmation {
    /// Signs a body. Only the coordinator's leader holds the key.
    #[must_use]
    pub fn sign(body: ClaimBody, key: &SigningKey) -> Self {
        let signature = crate::permit::sign(&body, key);
        Self { body, signature }
    }
}

/// Why a claim could not be turned into leave to act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The permit's or the confirmation's signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The confirmation is of another entry, digest or epoch.
    #[error("the confirmation is of {0}, not of this permit")]
    Other(EntryId),
}

/// Leave to act: the only thing that an executor accepts.
///
/// It is built in one place, from a permit and a confirmation that both carry the coordinator's signature.
///
/// ```compile_fail
/// # use picket_core::claim::ClaimedAction;
/// let forged = ClaimedAction { permit: todo!(), claim: todo!() }; // private fields
/// ```
/// ```compile_fail
/// # use picket_core::claim::ClaimedAction;
/// let forged: ClaimedAction = serde_json::from_str("{}").unwrap(); // no Deserialize
/// ```
#[derive(Debug)]
pub struct ClaimedAction {
    permit: PermitBody,
    claim: ClaimBody,
}

impl ClaimedAction {
    /// Checks both signatures and that the confirmation is of this permit and this actuator.
    ///
    /// # Errors
    /// [`ClaimError`] when any of it does not hold.
    pub fn confirm(permit: &Permit, confirmation: &ClaimConfirmation, actuator_epoch: u64, key: &VerifyingKey) -> Result<Self, ClaimError> {
        permit.verify(key)?;
        crate::permit::verify(&confirmation.body, &confirmation.signature, key)?;
        let claim = &confirmation.body;
        let same = claim.entry == permit.body.entry && claim.digest == permit.body.digest && claim.actuator_epoch == actuator_epoch;
        let token_known = permit.body.tokens.values().any(|token| *token == claim.token);
        if !same || !token_known {
            return Err(ClaimError::Other(claim.entry.clone()));
        }
        Ok(Self { permit: permit.body.clone(), claim: claim.clone() })
    }

    /// The ledger entry.
    #[must_use]
    pub const fn entry(&self) -> &EntryId {
        &self.permit.entry
    }

    /// What to do.
    #[must_use]
    pub const fn work(&self) -> &Work {
        &self.permit.work
    }

    /// The token to stamp.
    #[must_use]
    pub const fn token(&self) -> FencingToken {
        self.claim.token
    }

    /// The last moment for a report (coordinator time).
    #[must_use]
    pub const fn act_deadline(&self) -> Timestamp {
        self.claim.act_deadline
    }

    /// When it was claimed (coordinator time).
    #[must_use]
    pub const fn claimed_at(&self) -> Timestamp {
        self.claim.claimed_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, Remediation};
    use crate::ids::ServiceId;
    use crate::scope::Scope;

    fn permit(key: &SigningKey) -> Permit {
        let work =
            Work::Do { action: Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::RolloutRestart } };
        let scope = Scope::of(&work.action().service);
        Permit::sign(
            PermitBody {
                entry: "act-1".into(),
                cluster: "east".into(),
                digest: work.digest(),
                work,
                tokens: [(scope, FencingToken::new(0, 7))].into(),
                reserved_pods: 1,
                issued_at: Timestamp(0),
                expires_at: Timestamp(20_000),
                stop_epoch: 0,
                restore_epoch: 0,
                demonstration: false,
            },
            key,
        )
    }

    fn confirmation(permit: &Permit, key: &SigningKey) -> ClaimConfirmation {
        let body = ClaimBody {
            entry: permit.body.entry.clone(),
            digest: permit.body.digest.clone(),
            actuator_epoch: 2,
            claimed_at: Timestamp(1),
            act_deadline: Timestamp(30_001),
            token: FencingToken::new(0, 7),
        };
        ClaimConfirmation::sign(body, key)
    }

    #[test]
    fn a_claim_needs_both_signatures_and_the_same_entry() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let permit = permit(&key);
        let good = confirmation(&permit, &key);
        assert!(ClaimedAction::confirm(&permit, &good, 2, &key.verifying_key()).is_ok());
        assert!(ClaimedAction::confirm(&permit, &good, 3, &key.verifying_key()).is_err(), "another actuator's");
        assert!(ClaimedAction::confirm(&permit, &confirmation(&permit, &other), 2, &key.verifying_key()).is_err());
        let mut changed = permit.clone();
        changed.body.reserved_pods = 0;
        assert!(ClaimedAction::confirm(&changed, &good, 2, &key.verifying_key()).is_err(), "changed after signing");
        let mut swapped = permit.body.clone();
        swapped.work =
            Work::Do { action: Action { service: ServiceId::new("east", "shop", "pay"), remediation: Remediation::RolloutRestart } };
        let swapped = Permit::sign(swapped, &key);
        assert_eq!(swapped.verify(&key.verifying_key()), Err(SignatureError::Digest));
    }
}
