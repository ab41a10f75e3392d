//! What is wrong with a configuration, in words for whoever wrote it.

use super::{ControllerKind, ControllerSettings, ForgeKind, ForgeSettings, GitOpsEntry, GitOpsSettings, Transport};
use std::collections::BTreeSet;
use std::fmt;

/// Git's longest run and the longest HTTP call that make sense beside an act's deadline, seconds.
const TIMEOUT_S_MAX: u64 = 120;
/// Entries and namespaces of a configuration.
const ENTRIES_MAX: usize = 500;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitOpsProblem {
    /// The key, below the settings.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub why: String,
}

impl fmt::Display for GitOpsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

/// Collects problems.
#[derive(Default)]
struct Check {
    problems: Vec<GitOpsProblem>,
}

impl Check {
    fn when(&mut self, wrong: bool, key: &str, why: &str) {
        if wrong {
            self.problems.push(GitOpsProblem { key: key.to_owned(), why: why.to_owned() });
        }
    }
}

impl GitOpsSettings {
    /// What is wrong with them; empty when nothing is. Looks at no file.
    #[must_use]
    pub fn problems(&self) -> Vec<GitOpsProblem> {
        let mut check = Check::default();
        let seconds = |s: u64| !(1..=TIMEOUT_S_MAX).contains(&s);
        check.when(seconds(self.git_timeout_s), "git_timeout_s", "write 1 to 120");
        check.when(seconds(self.http_timeout_s), "http_timeout_s", "write 1 to 120");
        check.when(!is_name(&self.author_name), "author_name", "write a name without `<`, `>` and line breaks");
        let is_address = is_name(&self.author_email) && self.author_email.contains('@') && !self.author_email.contains(' ');
        check.when(!is_address, "author_email", "write an address, `picket@example.com`");
        for (key, file) in [("signing_key_file", &self.signing_key_file), ("allowed_signers_file", &self.allowed_signers_file)] {
            check.when(!is_file(file), key, "write an absolute path without quotes, or nothing");
        }
        check.when(self.entries.len() > ENTRIES_MAX, "entries", "there may be 500");
        let mut taken = BTreeSet::new();
        for (index, entry) in self.entries.iter().enumerate().take(ENTRIES_MAX) {
            entry.check(&format!("entries[{index}]"), &mut taken, &mut check);
        }
        check.problems
    }
}

impl GitOpsEntry {
    fn check<'a>(&'a self, at: &str, taken: &mut BTreeSet<(&'a str, &'a str)>, check: &mut Check) {
        let key = |name: &str| format!("{at}.{name}");
        check.when(self.cluster.is_empty(), &key("cluster"), "name a cluster of `mesh.clusters`");
        check.when(self.namespaces.is_empty(), &key("namespaces"), "name at least one namespace");
        for namespace in &self.namespaces {
            check.when(!is_label(namespace), &key("namespaces"), &format!("`{namespace}` is no name of a namespace"));
            let first = taken.insert((&self.cluster, namespace));
            check.when(!first, &key("namespaces"), &format!("`{namespace}` of {} stands in an entry above too", self.cluster));
        }
        check.when(!is_branch(&self.branch), &key("branch"), "write a branch's name, `main`");
        check.when(!is_path(&self.path), &key("path"), "write a folder of the repository without `.` and `..`, `clusters/east`");
        self.check_repository(at, check);
        self.forge.check(&format!("{at}.forge"), check);
        self.controller.check(&format!("{at}.controller"), check);
    }

    fn check_repository(&self, at: &str, check: &mut Check) {
        let key = |name: &str| format!("{at}.{name}");
        let url = &self.repository;
        let plain = !url.is_empty() && url.len() <= 1000 && url.chars().all(|c| c.is_ascii_graphic() && !"'\"\\`$".contains(c));
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        check.when(
            !plain || self.transport().is_none(),
            &key("repository"),
            "write `ssh://git@host/path`, `https://host/path` or `file:///path`",
        );
        let account = host.rsplit_once('@').map_or("", |(account, _)| account);
        let https = self.transport() == Some(Transport::Https);
        check.when(
            account.contains(':') || https && !account.is_empty(),
            &key("repository"),
            "no account or password belongs in the address: use `ssh_key_file`, or `https_user` and `https_token_file`",
        );
        check.when(rest.starts_with('-') || host.contains("@-"), &key("repository"), "a host does not begin with `-`");
        let files = [
            ("ssh_key_file", &self.ssh_key_file),
            ("known_hosts_file", &self.known_hosts_file),
            ("https_token_file", &self.https_token_file),
            ("https_ca_file", &self.https_ca_file),
        ];
        for (name, file) in files {
            check.when(!is_file(file), &key(name), "write an absolute path without quotes, or nothing");
        }
        if self.transport() == Some(Transport::Ssh) {
            check.when(self.ssh_key_file.is_empty(), &key("ssh_key_file"), "over ssh a private key is needed");
            check.when(self.known_hosts_file.is_empty(), &key("known_hosts_file"), "over ssh the server's keys are needed");
        }
        if https {
            check.when(self.https_token_file.is_empty(), &key("https_token_file"), "over https a token is needed");
        }
    }
}

impl ForgeSettings {
    fn check(&self, at: &str, check: &mut Check) {
        if self.kind == ForgeKind::None {
            return;
        }
        check_api(at, "api_url", &self.api_url, &self.token_file, &self.ca_file, check);
        let parts: Vec<&str> = self.project.split('/').collect();
        let whole = parts.iter().all(|part| !part.is_empty() && !matches!(*part, "." | "..") && part.chars().all(is_safe));
        let counted = if self.kind == ForgeKind::GitHub { parts.len() == 2 } else { parts.len() >= 2 };
        check.when(!whole || !counted, &format!("{at}.project"), "write `owner/name`");
    }
}

impl ControllerSettings {
    fn check(&self, at: &str, check: &mut Check) {
        if self.kind == ControllerKind::None {
            return;
        }
        check_api(at, "url", &self.url, &self.token_file, &self.ca_file, check);
        check.when(!is_label(&self.application), &format!("{at}.application"), "name the Application or Kustomization");
        let named = is_label(&self.namespace) || self.kind == ControllerKind::ArgoCd && self.namespace.is_empty();
        check.when(!named, &format!("{at}.namespace"), "name the namespace that it is in");
    }
}

fn check_api(at: &str, name: &str, url: &str, token_file: &str, ca_file: &str, check: &mut Check) {
    let parsed = reqwest::Url::parse(url).ok();
    let here = parsed.as_ref().is_some_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
    let good = parsed.is_some_and(|url| {
        (url.scheme() == "https" || url.scheme() == "http" && here)
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    check.when(!good, &format!("{at}.{name}"), "write an `https://` address without account; `http://` only on this machine");
    check.when(token_file.is_empty() || !is_file(token_file), &format!("{at}.token_file"), "write the absolute path of the token's file");
    check.when(!is_file(ca_file), &format!("{at}.ca_file"), "write an absolute path, or nothing");
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 200 && !text.contains(['<', '>']) && !text.chars().any(char::is_control)
}

/// Empty, or an absolute path that may stand in single quotes.
fn is_file(text: &str) -> bool {
    text.is_empty() || text.starts_with('/') && !text.contains(['\'', '"']) && !text.chars().any(char::is_control)
}

/// A name of Kubernetes (RFC 1123; with dots, as most objects may have them).
pub(crate) fn is_label(text: &str) -> bool {
    let ends = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric());
    ends && text.len() <= 253 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// The safe part of what git allows (git-check-ref-format).
fn is_branch(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.') && !part.ends_with(".lock") && part.chars().all(is_safe)
    };
    text.len() <= 200 && text.split('/').all(part) && !text.contains("..")
}

fn is_path(text: &str) -> bool {
    let text = text.trim_matches('/');
    let part = |part: &str| !part.is_empty() && !matches!(part, "." | ".." | ".git") && !part.chars().any(char::is_control);
    text.is_empty() || text.len() <= 500 && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> GitOpsSettings {
        let entry = GitOpsEntry {
            cluster: "east".into(),
            namespaces: vec!["shop".into()],
            repository: "ssh://git@git.example.com/team/deploy.git".into(),
            path: "clusters/east".into(),
            ssh_key_file: "/etc/picket/git.key".into(),
            known_hosts_file: "/etc/picket/known_hosts".into(),
            forge: ForgeSettings {
                kind: ForgeKind::GitHub,
                api_url: "https://api.github.com".into(),
                project: "team/deploy".into(),
                token_file: "/etc/picket/forge.token".into(),
                ..ForgeSettings::default()
            },
            controller: ControllerSettings {
                kind: ControllerKind::Flux,
                url: "https://10.0.0.1:6443".into(),
                token_file: "/etc/picket/flux.token".into(),
                application: "shop".into(),
                namespace: "flux-system".into(),
                ..ControllerSettings::default()
            },
            ..GitOpsEntry::default()
        };
        GitOpsSettings { entries: vec![entry], ..GitOpsSettings::default() }
    }

    fn problem(change: impl FnOnce(&mut GitOpsSettings)) -> Vec<String> {
        let mut settings = good();
        change(&mut settings);
        settings.problems().into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_good_configuration_has_no_problem_and_each_bad_key_is_named() {
        assert_eq!(good().problems(), []);
        assert_eq!(problem(|s| s.entries[0].repository = "git@host:team/deploy.git".into()), ["entries[0].repository"]);
        assert_eq!(problem(|s| s.entries[0].repository = "ssh://git:secret@host/r".into()), ["entries[0].repository"]);
        assert_eq!(problem(|s| s.entries[0].repository = "ssh://-oProxyCommand=x/r".into()), ["entries[0].repository"]);
        assert_eq!(problem(|s| s.entries[0].repository = "https://me@host/r".into()).len(), 2, "the account, and no token");
        assert_eq!(problem(|s| s.entries[0].ssh_key_file = String::new()), ["entries[0].ssh_key_file"]);
        assert_eq!(problem(|s| s.entries[0].ssh_key_file = "/a'; rm -rf /'".into()), ["entries[0].ssh_key_file"]);
        assert_eq!(problem(|s| s.entries[0].branch = "--all".into()), ["entries[0].branch"]);
        assert_eq!(problem(|s| s.entries[0].branch = "a..b".into()), ["entries[0].branch"]);
        assert_eq!(problem(|s| s.entries[0].path = "a/../../etc".into()), ["entries[0].path"]);
        assert_eq!(problem(|s| s.entries[0].forge.api_url = "http://api.github.com".into()), ["entries[0].forge.api_url"]);
        assert_eq!(problem(|s| s.entries[0].forge.project = "deploy".into()), ["entries[0].forge.project"]);
        assert_eq!(problem(|s| s.entries[0].controller.namespace = String::new()), ["entries[0].controller.namespace"]);
        assert_eq!(problem(|s| s.author_email = "picket <x>".into()), ["author_email"]);
        assert_eq!(problem(|s| s.git_timeout_s = 0), ["git_timeout_s"]);
        assert_eq!(problem(|s| s.entries.push(s.entries[0].clone())), ["entries[1].namespaces"]);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let read = serde_json::from_str::<GitOpsSettings>(r#"{"entries": [{"cluster": "east", "branche": "main"}]}"#);
        assert!(read.unwrap_err().to_string().contains("branche"));
        let read: GitOpsSettings =
            serde_json::from_str(r#"{"entries": [{"controller": {"kind": "argocd"}, "forge": {"kind": "gitlab"}}]}"#).unwrap();
        assert_eq!((read.entries[0].controller.kind, read.entries[0].forge.kind), (ControllerKind::ArgoCd, ForgeKind::GitLab));
        assert_eq!(read.entries[0].branch, "main");
    }
}
