//! What a failed run means to the caller.

use picket_core::ports::PortError;

/// Why a run gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It could not be started, or its pipes broke.
    NotStarted(String),
    /// It did not end in time.
    Timeout,
    /// It said more than anything that is asked here can take.
    TooMuch,
    /// It ended with an error.
    Ended {
        /// Exit code.
        code: i32,
        /// Its words.
        stderr: String,
    },
}

/// Words of git, ssh and servers (in the C locale) that mean: not with these credentials, whenever it is tried.
const NOT_ALLOWED: [&str; 9] = [
    "permission denied",
    "authentication failed",
    "could not read username",
    "could not read password",
    "host key verification failed",
    "invalid credentials",
    "requested url returned error: 401",
    "requested url returned error: 403",
    "access denied",
];
const NO_BRANCH: &str = "couldn't find remote ref";

/// A failed read. What was asked, and what git said of it.
pub(crate) fn port_error(what: &str, failure: Failure) -> PortError {
    let what = what.to_owned();
    match failure {
        Failure::NotStarted(why) => PortError::Unavailable { what: "the git program".to_owned(), why },
        Failure::Timeout => PortError::Unavailable { what, why: "it did not end within its deadline".to_owned() },
        Failure::TooMuch => PortError::Refused { what, why: "there is more of it than picket reads".to_owned() },
        Failure::Ended { stderr, .. } if is_no_branch(&stderr) => PortError::NotFound { what },
        Failure::Ended { stderr, .. } if is_not_allowed(&stderr) => PortError::Refused { what, why: stderr },
        Failure::Ended { code, stderr } => PortError::Unavailable { what, why: format!("{stderr} (exit code {code})") },
    }
}

/// Whether the credentials are at fault.
pub(super) fn is_not_allowed(stderr: &str) -> bool {
    let stderr = stderr.to_lowercase();
    NOT_ALLOWED.iter().any(|words| stderr.contains(words))
}

fn is_no_branch(stderr: &str) -> bool {
    stderr.to_lowercase().contains(NO_BRANCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_git_become_what_a_caller_can_act_on() {
        let said = |stderr: &str| port_error("fetch", Failure::Ended { code: 128, stderr: stderr.to_owned() });
        assert!(matches!(said("fatal: couldn't find remote ref refs/heads/main"), PortError::NotFound { .. }));
        assert!(matches!(said("git@host: Permission denied (publickey)."), PortError::Refused { .. }));
        assert!(matches!(said("Host key verification failed."), PortError::Refused { .. }));
        assert!(matches!(said("fatal: Could not read from remote repository."), PortError::Unavailable { .. }));
        assert!(matches!(port_error("fetch", Failure::Timeout), PortError::Unavailable { .. }));
    }
}
