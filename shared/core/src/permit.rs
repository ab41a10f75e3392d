//! The signed leave to do one act once.

use crate::action::Digest;
use crate::ids::{ClusterName, EntryId};
use crate::planted;
use crate::proposal::Work;
use crate::scope::{FencingToken, Scope};
use crate::time::Timestamp;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PermitBody {
    /// The ledger entry.
    pub entry: EntryId,
    /// Whose actuator may claim it.
    pub cluster: ClusterName,
    /// What may be done.
    pub work: Work,
    /// Its digest.
    pub digest: Digest,
    /// The lease's token for each scope.
    pub tokens: BTreeMap<Scope, FencingToken>,
    /// Pods reserved from the disruption budget.
    pub reserved_pods: u32,
    /// Issued (coordinator time).
    pub issued_at: Timestamp,
    /// Void from then on (coordinator time).
    pub expires_at: Timestamp,
    /// Void when STOP has been pressed since.
    pub stop_epoch: u64,
    /// Void when the coordinator was restored from a backup since.
    pub restore_epoch: u64,
    /// True under the demonstration CA: a real actuator refuses it.
    pub demonstration: bool,
}

/// A permit as it travels. Holding one proves nothing: the claim does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Permit {
    /// What is permitted.
    pub body: PermitBody,
    /// Ed25519 over the body's JSON, hex.
    pub signature: String,
}

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not a signature.
    #[error("the signature is malformed")]
    Malformed,
    /// It is not the coordinator's.
    #[error("the signature is not the coordinator's")]
    NotTheirs,
    /// The digest in it is not that of the work in it.
    #[error("the digest does not match the work")]
    Digest,
}

fn bytes_of<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("signed bodies are plain data")
}

pub(crate) fn sign<T: Serialize>(body: &T, key: &SigningKey) -> String {
    hex::encode(key.sign(&bytes_of(body)).to_bytes())
}

pub(crate) fn verify<T: Serialize>(body: &T, signature: &str, key: &VerifyingKey) -> Result<(), SignatureError> {
    let raw = hex::decode(signature).map_err(|_| SignatureError::Malformed)?;
    let signature = Signature::from_slice(&raw).map_err(|_| SignatureError::Malformed)?;
    key.verify(&bytes_of(body), &signature).map_err(|_| SignatureError::NotTheirs)
}

impl Permit {
    /// Signs a body. Only the coordinator's leader holds the key.
    #[must_use]
    pub fn sign(body: PermitBody, key: &SigningKey) -> Self {
        let signature = sign(&body, key);
        Self { body, signature }
    }

    /// Checks signature and digest.
    ///
    /// # Errors
    /// [`SignatureError`] when it is not the coordinator's, or names other work than it carries.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), SignatureError> {
        if planted::permits_unverified() {
            return Ok(());
        }
        verify(&self.body, &self.signature, key)?;
        if self.body.work.digest() == self.body.digest { Ok(()) } else { Err(SignatureError::Digest) }
    }
}
