//! Builds the dashboard page: WebAssembly by plain cargo, bindings by wasm-bindgen's library, static files beside them.
//!
//! What it makes lies in `dashboard/dist`, where the dashboard's server takes it from when it is compiled.

mod step;
mod toolchain;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use step::Step;

const CRATE: &str = "picket-dashboard-ui";
const STEM: &str = "picket_dashboard_ui";
const TARGET: &str = "wasm32-unknown-unknown";
/// Everything that the page is made of, beside the lock file.
const SOURCES: [&str; 4] = ["dashboard/ui/src", "dashboard/ui/page", "dashboard/ui/Cargo.toml", "dashboard/server/src/wire.rs"];
/// Written last: the digest of the sources that `dist` was made from.
const STAMP: &str = "stamp.txt";

/// Builds the page unless it is up to date, and returns its folder.
///
/// # Errors
/// When the toolchain cannot be had or a step fails; the message carries what the step said.
pub fn build() -> Result<PathBuf> {
    let root = workspace();
    let dist = root.join("dashboard/dist");
    let wanted = fingerprint(&root)?;
    if fs::read_to_string(dist.join(STAMP)).is_ok_and(|made_from| made_from == wanted) && dist.join(format!("{STEM}_bg.wasm")).exists() {
        Step::begin("dashboard page").done("up to date");
        return Ok(dist);
    }
    let toolchain = toolchain::find()?;
    let target_dir = target_dir(&root, std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
    compile(&root, &target_dir, &toolchain)?;
    let module = target_dir.join(TARGET).join("wasm").join(format!("{STEM}.wasm"));
    ensure!(module.exists(), "cargo said it built {CRATE}, but {} is not there", module.display());

    // Made beside `dist` and moved: a server compiled meanwhile finds the old page or the new one, never a half.
    let fresh = root.join("dashboard/dist.new");
    empty(&fresh)?;
    bind(&module, &fresh)?;
    shrink(&fresh.join(format!("{STEM}_bg.wasm")))?;
    for file in read_dir(&root.join("dashboard/ui/page"))? {
        let name = file.file_name().context("a file of the page has no name")?;
        fs::copy(&file, fresh.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    fs::write(fresh.join(STAMP), wanted)?;
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("cannot replace {}", dist.display()))?;
    }
    fs::rename(&fresh, &dist).with_context(|| format!("cannot move the page to {}", dist.display()))?;
    Ok(dist)
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The page has its own target folder: its flags and features are not the workspace's, and neither shall rebuild the other.
fn target_dir(root: &Path, given: Option<PathBuf>) -> PathBuf {
    match given {
        Some(mut given) => {
            let name = given.file_name().map(|name| format!("{}-ui", name.to_string_lossy())).unwrap_or_else(|| "target-ui".to_owned());
            given.set_file_name(name);
            if given.is_absolute() { given } else { root.join(given) }
        }
        None => root.join("target/ui"),
    }
}

fn compile(root: &Path, target_dir: &Path, toolchain: &toolchain::Toolchain) -> Result<()> {
    let step = Step::begin("compile the page to WebAssembly");
    let mut cargo = toolchain.cargo();
    cargo.current_dir(root).args(["build", "--profile", "wasm", "--target", TARGET, "-p", CRATE]).arg("--target-dir").arg(target_dir);
    step.run(cargo, "minutes when cold: every dependency is compiled for size")
}

fn bind(module: &Path, out: &Path) -> Result<()> {
    let step = Step::begin("bind the page to the browser");
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).remove_name_section(true).remove_producers_section(true).generate(out))
        .context("wasm-bindgen could not bind the page; its crate and wasm-bindgen-cli-support must be of one version")?;
    step.done("");
    Ok(())
}

/// Makes the module smaller when `wasm-opt` is on the PATH; without it the page is larger, not worse.
fn shrink(module: &Path) -> Result<()> {
    let step = Step::begin("shrink the page");
    if Command::new("wasm-opt").arg("--version").output().is_ok_and(|out| out.status.success()) {
        let smaller = module.with_extension("opt");
        let mut command = Command::new("wasm-opt");
        command.args(["-Oz", "--enable-bulk-memory", "--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals"]);
        command.args(["--enable-reference-types", "--enable-multivalue"]).arg(module).arg("-o").arg(&smaller);
        step.run(command, "")?;
        fs::rename(smaller, module)?;
    } else {
        let bytes = fs::metadata(module)?.len();
        step.done(&format!("wasm-opt is not on the PATH; {} kB as compiled", bytes / 1000));
    }
    Ok(())
}

/// A digest of everything that the page is made of.
fn fingerprint(root: &Path) -> Result<String> {
    let mut files = vec![root.join("Cargo.lock")];
    for source in SOURCES {
        let path = root.join(source);
        if path.is_dir() { files.extend(read_dir(&path)?) } else { files.push(path) }
    }
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(file.strip_prefix(root).unwrap_or(&file).to_string_lossy().as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
    }
    Ok(hex::encode(hash.finalize()))
}

/// The files of a folder, sorted.
fn read_dir(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_target_folder_of_its_own() {
        let root = Path::new("/w");
        assert_eq!(target_dir(root, None), Path::new("/w/target/ui"));
        assert_eq!(target_dir(root, Some("/cache/target".into())), Path::new("/cache/target-ui"));
        assert_eq!(target_dir(root, Some("out".into())), Path::new("/w/out-ui"));
    }

    #[test]
    fn the_fingerprint_is_of_the_sources() {
        let root = workspace();
        assert_eq!(fingerprint(&root).unwrap(), fingerprint(&root).unwrap());
        assert!(SOURCES.iter().all(|source| root.join(source).exists()));
    }
}
