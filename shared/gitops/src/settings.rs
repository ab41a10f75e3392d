//! The configuration: which namespaces are changed by commits, and where.

mod check;

pub use check::GitOpsProblem;
pub(crate) use check::is_label;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything about changes by commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitOpsSettings {
    /// One per branch and folder; a namespace of a cluster stands in one only.
    pub entries: Vec<GitOpsEntry>,
    /// Author and committer of picket's commits.
    pub author_name: String,
    /// Their address. Trailers count only in commits that bear it.
    pub author_email: String,
    /// SSH private key that signs commits (`gpg.format=ssh`); empty for none. An Ed25519 key signs the same commit the same way each time.
    pub signing_key_file: String,
    /// Public keys whose signatures count, as `gpg.ssh.allowedSignersFile` wants them; with it, trailers of commits without a good signature
    /// say nothing. Empty for none.
    pub allowed_signers_file: String,
    /// How long one run of git may take, seconds. The actuator's write timeout must be longer: a push is one run.
    pub git_timeout_s: u64,
    /// How long one HTTP call of a forge or a delivery controller may take, seconds.
    pub http_timeout_s: u64,
}

impl Default for GitOpsSettings {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            author_name: "picket".to_owned(),
            author_email: "picket@localhost".to_owned(),
            signing_key_file: String::new(),
            allowed_signers_file: String::new(),
            git_timeout_s: 10,
            http_timeout_s: 5,
        }
    }
}

impl GitOpsSettings {
    /// One write's timeout, real time: no write should be started with less left of an act's deadline. A push, what is made before it, and the
    /// question to the controller after it.
    #[must_use]
    pub const fn write_timeout_ms(&self) -> u64 {
        self.git_timeout_s.saturating_mul(1000).saturating_add(5000)
    }
}

/// One folder of one branch, and the namespaces whose objects are delivered from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitOpsEntry {
    /// The cluster, as `mesh.clusters` names it.
    pub cluster: String,
    /// Its namespaces.
    pub namespaces: Vec<String>,
    /// When changes go to git: always, or only where a direct write is not allowed or would be reverted.
    pub route: Route,
    /// `ssh://git@host/path`, `https://host/path` or `file:///path`. No password in it.
    pub repository: String,
    /// The branch that is delivered.
    pub branch: String,
    /// Folder of the manifests in the repository, `clusters/east/shop`; empty for the root.
    pub path: String,
    /// Over ssh: the private key.
    pub ssh_key_file: String,
    /// Over ssh: the server's keys, in ssh's format. Others are refused.
    pub known_hosts_file: String,
    /// Over https: the user name.
    pub https_user: String,
    /// Over https: the file that holds the token.
    pub https_token_file: String,
    /// Over https: the CA to trust; empty for the system's.
    pub https_ca_file: String,
    /// Where a request is opened before the merge; without one, changes are committed to the branch.
    pub forge: ForgeSettings,
    /// What delivers the branch to the cluster.
    pub controller: ControllerSettings,
}

impl Default for GitOpsEntry {
    fn default() -> Self {
        Self {
            cluster: String::new(),
            namespaces: Vec::new(),
            route: Route::default(),
            repository: String::new(),
            branch: "main".to_owned(),
            path: String::new(),
            ssh_key_file: String::new(),
            known_hosts_file: String::new(),
            https_user: "git".to_owned(),
            https_token_file: String::new(),
            https_ca_file: String::new(),
            forge: ForgeSettings::default(),
            controller: ControllerSettings::default(),
        }
    }
}

/// Which way changes of a namespace go.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Always by a commit.
    #[default]
    Git,
    /// Directly; by a commit where the credentials do not allow the write, or a delivery controller manages the object.
    Fallback,
}

/// A forge's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForgeSettings {
    /// Which.
    pub kind: ForgeKind,
    /// `https://api.github.com`, or `https://gitlab.example.com/api/v4`.
    pub api_url: String,
    /// The project there, `owner/name` (GitLab: with all its groups).
    pub project: String,
    /// The file that holds the token.
    pub token_file: String,
    /// The CA to trust; empty for the system's.
    pub ca_file: String,
    /// Whether a request's checks must be green before it is merged. At least one check must have run.
    pub require_checks: bool,
}

impl Default for ForgeSettings {
    fn default() -> Self {
        Self {
            kind: ForgeKind::None,
            api_url: String::new(),
            project: String::new(),
            token_file: String::new(),
            ca_file: String::new(),
            require_checks: true,
        }
    }
}

/// Which forge.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// None: no requests.
    #[default]
    None,
    /// GitHub, its cloud or a server of one's own.
    GitHub,
    /// GitLab.
    GitLab,
}

/// What delivers the branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ControllerSettings {
    /// Which.
    pub kind: ControllerKind,
    /// Argo CD's server, or the API server of the cluster that Flux runs in.
    pub url: String,
    /// The file that holds the bearer token.
    pub token_file: String,
    /// The CA to trust; empty for the system's.
    pub ca_file: String,
    /// Name of Argo CD's Application, or of Flux's Kustomization.
    pub application: String,
    /// Its namespace. Argo CD: empty for the server's own.
    pub namespace: String,
}

/// Which delivery controller.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ControllerKind {
    /// None that picket knows: it delivers by itself.
    #[default]
    None,
    /// Argo CD.
    ArgoCd,
    /// Flux.
    Flux,
}

/// How a repository is reached.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A folder of this machine.
    File,
    /// ssh.
    Ssh,
    /// https.
    Https,
}

impl Transport {
    /// Its name in addresses.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Ssh => "ssh",
            Self::Https => "https",
        }
    }

    /// Of an address.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once("://")?;
        [Self::File, Self::Ssh, Self::Https].into_iter().find(|transport| transport.as_str() == scheme)
    }
}

impl GitOpsEntry {
    /// The manifests' folder without slashes at its ends.
    pub(crate) fn folder(&self) -> &str {
        self.path.trim_matches('/')
    }

    /// How its repository is reached, once it was checked.
    pub(crate) fn transport(&self) -> Option<Transport> {
        Transport::of(&self.repository)
    }
}
