//! Raises fences, and waits for them to pass: by turns of reading and of one step.

use super::api::Moment;
use super::executor::AwsTarget;
use super::horizon::{self, Fence};
use super::reading::Reading;
use super::stamp;
use crate::error::Call;
use crate::object::label;
use picket_core::ports::{PortError, PortResult};
use picket_core::scope::FencingToken;

/// Steps of raising one fence, reads and waits included, before it is left for later.
pub(super) const STEPS_MAX: usize = 12;

/// Where raising a fence has got.
pub(super) enum Step {
    /// Something was done: read again.
    Again,
    /// The patience is used up; so many seconds are left.
    NotYet(u64),
    /// No earlier write can land any more.
    Passed,
}

impl AwsTarget {
    /// Brings the fence one step on. Its tags are signed as of the reading, so that a late one cannot lower a fence that has passed.
    pub(super) async fn step(
        &self,
        needed: FencingToken,
        standing: &Reading,
        theirs_s: i64,
        moment: Moment,
        patience_s: &mut u64,
    ) -> PortResult<Step> {
        if !horizon::clock_agrees(moment.signed_s, theirs_s) {
            return Err(self.clock_is_off(moment, theirs_s));
        }
        let tags = match horizon::fence(needed, standing.fence, standing.seen, theirs_s, self.aws.life_s) {
            Fence::Missing => stamp::of_fence(needed),
            Fence::Unseen(fence) => stamp::of_seen(fence, theirs_s),
            Fence::Pending(left_s) if *patience_s > 0 => {
                let wait_s = left_s.min(*patience_s);
                *patience_s -= wait_s;
                self.aws.clock.wait_s(wait_s).await;
                return Ok(Step::Again);
            }
            Fence::Pending(left_s) => return Ok(Step::NotYet(left_s)),
            Fence::Passed => return Ok(Step::Passed),
        };
        self.tag(&standing.snapshot.id, &tags, moment).await.map_err(|e| self.error(e, Call::Write))?;
        Ok(Step::Again)
    }

    pub(super) fn restless(&self) -> PortError {
        PortError::Unavailable { what: format!("fence of {}", label(&self.at)), why: "it changes all the time".to_owned() }
    }

    pub(crate) async fn fence(&self, token: FencingToken) -> PortResult<()> {
        let mut patience_s = self.aws.patience_s;
        for _ in 0..STEPS_MAX {
            let moment = self.aws.moment();
            let (standing, theirs_s) = self.read(moment).await?;
            let Some(standing) = standing else { return Ok(()) };
            match self.step(token, &standing, theirs_s, moment, &mut patience_s).await? {
                Step::Again => {}
                Step::Passed => return Ok(()),
                Step::NotYet(left_s) => {
                    let why = format!("the fence stands; a write that was signed before it may still land for {left_s} s");
                    return Err(PortError::Unavailable { what: label(&self.at), why });
                }
            }
        }
        Err(self.restless())
    }
}
