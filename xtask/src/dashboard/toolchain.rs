//! A compiler for WebAssembly: rustup's target when it is there or can be had, else Debian's packages, unpacked into a cache folder.
//!
//! Debian's are not installed, because they conflict with rustup; they carry no compiled standard library for the target
//! either, so that is built once from their sources.

use super::TARGET;
use super::step::Step;
use crate::cargo::cargo;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Debian's compiler for the web and its linker consist of.
const PACKAGES: [&str; 12] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "libstd-rust-web-1.96",
    "libllvm22",
    "lld-22",
    "libgit2-1.5",
    "libmbedtls14",
    "libmbedx509-1",
    "libmbedcrypto7",
    "libhttp-parser2.9",
];

/// What of this process's environment would lead the other compiler astray.
const LEADS_ASTRAY: [&str; 10] = [
    "RUSTUP_TOOLCHAIN",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_UNSTABLE_FEATURE_UNIFICATION",
    "CARGO_RESOLVER_FEATURE_UNIFICATION",
    "__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS",
];

/// A compiler that knows the target.
pub enum Toolchain {
    /// The one that this runs under.
    Rustup,
    /// Debian's, by the root of its unpacked packages.
    Debian(PathBuf),
}

impl Toolchain {
    /// Its cargo, with everything in place but the arguments.
    pub fn cargo(&self) -> Command {
        match self {
            Self::Rustup => {
                let mut cargo = cargo();
                LEADS_ASTRAY.iter().filter(|name| **name != "RUSTUP_TOOLCHAIN").for_each(|name| _ = cargo.env_remove(name));
                cargo
            }
            Self::Debian(root) => debian_cargo(root),
        }
    }
}

/// Finds a compiler, fetching what is missing. `PICKET_WASM_TOOLCHAIN=rustup|debian` forces one.
///
/// # Errors
/// When neither can be had; the message says what to install.
pub fn find() -> Result<Toolchain> {
    match std::env::var("PICKET_WASM_TOOLCHAIN").as_deref() {
        Ok("rustup") => rustup().context("PICKET_WASM_TOOLCHAIN=rustup was asked for"),
        Ok("debian") => debian().context("PICKET_WASM_TOOLCHAIN=debian was asked for"),
        Ok("") | Err(_) => rustup().or_else(|of_rustup| {
            debian().with_context(|| {
                format!(
                    "no compiler for {TARGET}: {of_rustup:#}, and Debian's packages could not be had. \
                     Install the target (`rustup target add {TARGET}`, or your system's package for it), then try again"
                )
            })
        }),
        Ok(other) => bail!("PICKET_WASM_TOOLCHAIN is `{other}`; it may be `rustup` or `debian`"),
    }
}

fn rustup() -> Result<Toolchain> {
    if target_is_installed() {
        return Ok(Toolchain::Rustup);
    }
    let step = Step::begin("fetch the WebAssembly target");
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]);
    step.run(add, "rustup")?;
    if target_is_installed() { Ok(Toolchain::Rustup) } else { bail!("rustup added {TARGET}, but the compiler in use does not see it") }
}

fn target_is_installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(out) = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output() else { return false };
    holds_std(Path::new(String::from_utf8_lossy(&out.stdout).trim()))
}

fn holds_std(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut files| files.any(|file| file.is_ok_and(|f| is_std(&f.path()))))
}

fn is_std(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with("libstd-") && path.extension().is_some_and(|extension| extension == "rlib")
}

fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set: there is no folder to keep the compiler in")?.join("picket/wasm-toolchain"))
}

fn debian() -> Result<Toolchain> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = fs::File::create(cache.join("lock")).with_context(|| format!("cannot write in {}", cache.display()))?;
    // Two builds at once would unpack over each other.
    lock.lock().context("cannot lock the compiler's cache folder")?;
    let root = cache.join("root");
    if !root.join("usr/bin/rustc").exists() {
        unpack(&cache, &root)?;
    }
    let libraries = root.join("usr/lib/rustlib").join(TARGET).join("lib");
    if !holds_std(&libraries) {
        build_std(&cache, &root, &libraries)?;
    }
    Ok(Toolchain::Debian(root))
}

fn unpack(cache: &Path, root: &Path) -> Result<()> {
    let packages = cache.join("packages");
    fs::create_dir_all(&packages)?;
    download(&packages)?;
    let step = Step::begin("unpack Debian's WebAssembly compiler");
    let half = cache.join("root.new");
    super::empty(&half)?;
    for package in super::read_dir(&packages)? {
        let done = Command::new("dpkg-deb").arg("-x").arg(&package).arg(&half).output().context("cannot start dpkg-deb")?;
        if !done.status.success() {
            bail!("cannot unpack {}: {}", package.display(), String::from_utf8_lossy(&done.stderr).trim());
        }
    }
    fs::rename(&half, root).with_context(|| format!("cannot move the compiler to {}", root.display()))?;
    // 147 MB that are not needed again.
    fs::remove_dir_all(&packages)?;
    step.done("");
    Ok(())
}

fn download(folder: &Path) -> Result<()> {
    let fetch = || {
        let step = Step::begin("download Debian's WebAssembly compiler");
        let mut apt = Command::new("apt-get");
        apt.current_dir(folder).args(["-o", "APT::Sandbox::User=root", "download"]).args(PACKAGES);
        step.run(apt, "147 MB")
    };
    let Err(first) = fetch() else { return Ok(()) };
    // A fresh container has no package lists yet.
    let step = Step::begin("refresh the package lists");
    let refreshed = [&["apt-get", "update"][..], &["sudo", "-n", "apt-get", "update"]].into_iter().any(|words| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        step.run(command, "").is_ok()
    });
    if refreshed { fetch() } else { Err(first.context("run `sudo apt-get update`, then try again")) }
}

fn debian_cargo(root: &Path) -> Command {
    let usr = root.join("usr");
    // Its cargo needs libraries that a machine may lack; another cargo drives its rustc as well.
    let theirs = usr.join("bin/cargo");
    let libraries = library_path(&usr);
    let runs = Command::new(&theirs).arg("--version").env("LD_LIBRARY_PATH", &libraries).output().is_ok_and(|out| out.status.success());
    let mut cargo = if runs { Command::new(theirs) } else { cargo() };
    for name in LEADS_ASTRAY {
        cargo.env_remove(name);
    }
    cargo
        .env("LD_LIBRARY_PATH", libraries)
        .env("RUSTC", usr.join("bin/rustc"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", usr.join("bin/wasm-ld-22"));
    cargo
}

fn library_path(usr: &Path) -> OsString {
    let own = usr.join("lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let mut path = own.into_os_string();
    if let Some(more) = std::env::var_os("LD_LIBRARY_PATH").filter(|more| !more.is_empty()) {
        path.push(":");
        path.push(more);
    }
    path
}

/// Compiles the standard library once, as a dependency of an empty program, and puts it where the compiler looks.
fn build_std(cache: &Path, root: &Path, libraries: &Path) -> Result<()> {
    let step = Step::begin("compile Rust's standard library for WebAssembly");
    let hello = cache.join("hello");
    super::empty(&hello)?;
    fs::create_dir_all(hello.join("src"))?;
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
        [profile.release]\nopt-level = \"z\"\npanic = \"abort\"\n";
    fs::write(hello.join("Cargo.toml"), manifest)?;
    fs::write(hello.join("src/main.rs"), "fn main() {}\n")?;
    let mut cargo = debian_cargo(root);
    cargo.current_dir(&hello).args(["build", "--release", "--target", TARGET, "-Z", "build-std=std,panic_abort"]);
    cargo.arg("--target-dir").arg(hello.join("target"));
    step.run(cargo, "once, about a minute")?;
    let half = libraries.with_extension("new");
    super::empty(&half)?;
    for file in super::read_dir(&hello.join("target").join(TARGET).join("release/deps"))? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("lib") && (name.ends_with(".rlib") || name.ends_with(".rmeta")) {
            fs::copy(&file, half.join(name))?;
        }
    }
    if libraries.exists() {
        fs::remove_dir_all(libraries)?;
    }
    fs::rename(&half, libraries).with_context(|| format!("cannot put the standard library at {}", libraries.display()))?;
    fs::remove_dir_all(&hello)?;
    Ok(())
}
