//! A bare repository with a shop in it, and the people who work there.

use picket_core::action::{Action, Remediation};
use picket_core::ids::ServiceId;
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use picket_gitops::{GitOpsEntry, GitOpsExecutor, GitOpsSettings};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub const CART: &str = "clusters/east/shop/cart.yaml";

const VOLUME: &str = "\
# Where carts are kept.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data-cart
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 10Gi # grows with the carts
";

/// The Deployment's file with this image and number of replicas.
pub fn cart(version: u32, replicas: u32) -> String {
    format!(
        "\
# The cart. Owned by team-shop.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
spec:
  replicas: {replicas} # see the capacity plan
  selector:
    matchLabels: {{app: cart}}
  template:
    metadata:
      labels:
        app: cart
    spec:
      containers:
      - name: proxy
        image: registry.local/proxy:1
      - name: cart
        # pinned
        image: registry.local/cart:v{version}
        resources:
          requests: {{cpu: 250m, memory: 512Mi}}
          limits:
            memory: \"512Mi\"
---
apiVersion: v1
kind: Service
metadata:
  name: cart
spec:
  ports: [{{port: 80}}]
"
    )
}

pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// With two versions of the cart in its history: a copy of one that is made once.
    pub fn new() -> Self {
        static FIRST: LazyLock<Repository> = LazyLock::new(Repository::seeded);
        let made = Self { folder: tempfile::tempdir().unwrap() };
        for part in ["deploy.git", "work"] {
            let copied = Command::new("cp").arg("-r").arg(FIRST.path().join(part)).arg(made.path()).status().unwrap();
            assert!(copied.success());
        }
        made.git(&made.work(), &["remote", "set-url", "origin", &made.url()]);
        made
    }

    fn seeded() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        made.git(made.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "deploy.git"]);
        made.git(made.folder.path(), &["clone", "--quiet", "deploy.git", "work"]);
        made.git(&made.work(), &["checkout", "--quiet", "-b", "main"]);
        let kustomization = "# what is delivered\nresources:\n- cart.yaml\n- volume.yaml\n";
        made.commit(
            "the shop",
            &[
                ("README.md", "a cart is a cart\n"),
                (CART, &cart(1, 3)),
                ("clusters/east/shop/volume.yaml", VOLUME),
                ("clusters/east/shop/kustomization.yaml", kustomization),
            ],
        );
        made.commit("cart v2", &[(CART, &cart(2, 3))]);
        made
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("deploy.git")
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    /// What somebody's git says.
    pub fn git(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.try_git(folder, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn try_git(&self, folder: &Path, args: &[&str]) -> std::process::Output {
        let mut git = Command::new("git");
        git.current_dir(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example.com");
        }
        git.output().unwrap()
    }

    /// In the bare repository.
    pub fn ask(&self, args: &[&str]) -> String {
        self.git(&self.bare(), args)
    }

    /// Somebody changes files on the branch.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) {
        let work = self.work();
        // The first commit has nothing to be brought up to date with.
        self.try_git(&work, &["pull", "--quiet", "--ff-only", "origin", "main"]);
        for (path, text) in files {
            std::fs::create_dir_all(work.join(path).parent().unwrap()).unwrap();
            std::fs::write(work.join(path), text).unwrap();
        }
        self.git(&work, &["add", "-A"]);
        self.git(&work, &["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&work, &["push", "--quiet", "origin", "main"]);
    }

    /// Somebody throws the last commit of the branch away and puts another in its place.
    pub fn rewrite(&self) {
        let work = self.work();
        self.git(&work, &["pull", "--quiet", "--ff-only", "origin", "main"]);
        self.git(&work, &["commit", "--quiet", "--amend", "-m", "told otherwise"]);
        self.git(&work, &["push", "--quiet", "--force", "origin", "main"]);
    }

    pub fn head(&self) -> String {
        self.ask(&["rev-parse", "main"])
    }

    /// A file on the branch.
    pub fn show(&self, path: &str) -> Option<String> {
        let output = self.try_git(&self.bare(), &["show", &format!("main:{path}")]);
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    pub fn message(&self, commit: &str) -> String {
        self.ask(&["log", "-1", "--format=%B", commit])
    }

    pub fn commits(&self, path: &[&str]) -> u64 {
        self.ask(&[&["rev-list", "--count", "--first-parent", "main", "--"], path].concat()).parse().unwrap()
    }

    pub fn settings(&self) -> GitOpsSettings {
        let entry = GitOpsEntry {
            cluster: "east".into(),
            namespaces: vec!["shop".into()],
            repository: self.url(),
            path: "clusters/east/shop".into(),
            ..GitOpsEntry::default()
        };
        GitOpsSettings { entries: vec![entry], ..GitOpsSettings::default() }
    }

    pub fn executor(&self) -> GitOpsExecutor {
        self.executor_with(&self.settings(), "state")
    }

    pub fn executor_with(&self, settings: &GitOpsSettings, state: &str) -> GitOpsExecutor {
        GitOpsExecutor::open(settings, &"east".into(), &self.path().join(state), Arc::new(|| NOW)).unwrap()
    }
}

pub fn work(remediation: Remediation) -> Work {
    work_on("cart", remediation)
}

pub fn work_on(name: &str, remediation: Remediation) -> Work {
    Work::Do { action: Action { service: ServiceId::new("east", "shop", name), remediation } }
}

pub fn scale(replicas: u32) -> Work {
    work(Remediation::Scale { replicas, from: 3 })
}
