//! Notices that a controller writes back what picket wrote directly.

use super::Delivery;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// Times within the window that an object must fall out of sync and back before it is called a fight.
const TIMES: usize = 3;
/// Self-heal waits seconds to minutes between tries.
const WINDOW_MS: i64 = 15 * 60 * 1000;
/// Objects that are followed.
const OBJECTS_MAX: usize = 1000;

/// Follows one delivery. Pure: what it says depends on what it was shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct SelfHealWatch {
    commit: Option<String>,
    out: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    is_out: bool,
    fell: Vec<Timestamp>,
}

impl SelfHealWatch {
    /// Takes a look in, and names the objects (`Kind namespace/name`) that fall out of sync again and again while the branch stays as it is:
    /// what is written to them directly does not last. Looks come in order of time.
    pub(crate) fn observe(&mut self, delivery: &Delivery, now: Timestamp) -> Vec<String> {
        if !delivery.heals_itself {
            *self = Self::default();
            return Vec::new();
        }
        // While it is at work it may not say what is applied: that is no other commit.
        if delivery.applied.is_some() && self.commit != delivery.applied {
            // Another commit is being delivered: differences are its own.
            self.out.clear();
            self.commit.clone_from(&delivery.applied);
        }
        for name in &delivery.out_of_sync {
            if self.out.len() < OBJECTS_MAX || self.out.contains_key(name) {
                let seen = self.out.entry(name.clone()).or_default();
                if !seen.is_out {
                    seen.fell.push(now);
                }
            }
        }
        for (name, seen) in &mut self.out {
            seen.is_out = delivery.out_of_sync.contains(name);
            seen.fell.retain(|at| now.since_ms(*at) <= WINDOW_MS);
        }
        self.out.retain(|_, seen| seen.is_out || !seen.fell.is_empty());
        self.out.iter().filter(|(_, seen)| seen.fell.len() >= TIMES).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(out: &[&str], applied: &str, heals_itself: bool) -> Delivery {
        Delivery {
            applied: Some(applied.into()),
            has_failed: false,
            why: String::new(),
            out_of_sync: out.iter().map(|name| (*name).to_owned()).collect(),
            heals_itself,
        }
    }

    /// Out and back, every minute; what is said at the last look.
    fn after(times: i64, applied: impl Fn(i64) -> String, heals: bool) -> Vec<String> {
        let mut watch = SelfHealWatch::default();
        let mut said = Vec::new();
        for turn in 0..times {
            said = watch.observe(&look(&["Deployment shop/cart"], &applied(turn), heals), Timestamp(turn * 60_000));
            let at_work = Delivery { applied: None, ..look(&["Deployment shop/cart"], "", heals) };
            watch.observe(&at_work, Timestamp(turn * 60_000 + 15_000));
            watch.observe(&look(&[], &applied(turn), heals), Timestamp(turn * 60_000 + 30_000));
        }
        said
    }

    #[test]
    fn three_falls_of_one_object_under_one_commit_are_a_fight() {
        assert!(after(2, |_| "c".into(), true).is_empty());
        assert_eq!(after(3, |_| "c".into(), true), ["Deployment shop/cart"]);
        assert!(after(5, |turn| format!("c{turn}"), true).is_empty(), "each is another commit's delivery");
        assert!(after(5, |_| "c".into(), false).is_empty(), "nobody writes it back");
        let mut watch = SelfHealWatch::default();
        for turn in 0..10 {
            assert!(watch.observe(&look(&["Deployment shop/cart"], "c", true), Timestamp(turn)).is_empty(), "out all the time is one fall");
        }
    }
}
