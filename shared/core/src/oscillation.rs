//! An act and its opposite: two remedies that take turns on one service help nobody, and a person must say which is right.

use crate::action::Remediation;

/// Why `later` takes back what `earlier` did to the same service; `None` when it does not.
#[must_use]
pub fn opposes(later: &Remediation, earlier: &Remediation) -> Option<String> {
    use Remediation as R;
    match (later, earlier) {
        (R::Scale { replicas, from }, R::Scale { replicas: before, from: first }) => {
            let turned = (replicas > from && before < first) || (replicas < from && before > first);
            turned.then(|| format!("it was scaled from {first} to {before}, and would go from {from} to {replicas}"))
        }
        (R::SetReplicaBounds { max, from_max, .. }, R::SetReplicaBounds { max: before, from_max: first, .. }) => {
            let turned = (max > from_max && before < first) || (max < from_max && before > first);
            turned.then(|| {
                format!("its autoscaler was let up to {before} instead of {first}, and would be up to {max} instead of {from_max}")
            })
        }
        // A limit is raised, and resources are cut to size: the one after the other on the same memory is back and forth.
        (R::SetResources { container, memory_bytes, .. }, R::SetMemoryLimit { container: same, limit_bytes }) => (container == same
            && memory_bytes < limit_bytes)
            .then(|| format!("its memory limit was raised to {} MiB, and would be {} MiB", limit_bytes >> 20, memory_bytes >> 20)),
        (R::SetMemoryLimit { container, limit_bytes }, R::SetResources { container: same, memory_bytes, .. }) => (container == same
            && limit_bytes > memory_bytes)
            .then(|| format!("its memory was cut to {} MiB, and would be {} MiB", memory_bytes >> 20, limit_bytes >> 20)),
        (R::Rollback { to_revision }, R::Rollback { to_revision: before }) => {
            (to_revision != before).then(|| format!("it was rolled back to revision {before}, and would go to {to_revision}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth_is_told_from_once_more() {
        let scale = |from, replicas| Remediation::Scale { replicas, from };
        let raise = |bytes| Remediation::SetMemoryLimit { container: "c".into(), limit_bytes: bytes };
        let cut = |bytes| Remediation::SetResources { container: "c".into(), cpu_request_millicores: 100, memory_bytes: bytes };
        let bounds = |max, from_max| Remediation::SetReplicaBounds { autoscaler: "a".into(), min: 1, max, from_max };
        let back = |to_revision| Remediation::Rollback { to_revision };
        for (later, earlier) in [
            (scale(5, 3), scale(3, 5)),
            (scale(3, 5), scale(5, 3)),
            (cut(1 << 28), raise(1 << 30)),
            (raise(1 << 30), cut(1 << 28)),
            (back(4), back(3)),
            (bounds(6, 9), bounds(9, 6)),
        ] {
            assert!(opposes(&later, &earlier).is_some(), "{later:?} after {earlier:?}");
        }
        for (later, earlier) in [
            (scale(5, 8), scale(3, 5)),
            (raise(1 << 31), raise(1 << 30)),
            (cut(1 << 30), raise(1 << 30)),
            (back(3), back(3)),
            (Remediation::RolloutRestart, Remediation::RolloutRestart),
            (scale(5, 3), Remediation::Quarantine),
        ] {
            assert_eq!(opposes(&later, &earlier), None, "{later:?} after {earlier:?}");
        }
    }
}
