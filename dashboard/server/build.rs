//! The page is built apart (`cargo xtask dashboard`). Without it the server still builds, and says so on its front page.

use std::path::Path;

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>picket</title>\n\
<p>The dashboard page is not built into this binary. Run <code>cargo xtask dashboard</code>, then build picket again.\n\
<p>The data are at <a href=\"/api/snapshot\">/api/snapshot</a>.\n</html>\n";

fn main() -> std::io::Result<()> {
    let dist = Path::new("../dist");
    println!("cargo:rerun-if-changed=../dist");
    if !dist.join("index.html").exists() {
        std::fs::create_dir_all(dist)?;
        std::fs::write(dist.join("index.html"), PLACEHOLDER)?;
    }
    Ok(())
}
