// Starts the system's Chromium on a fresh profile. playwright-core is fetched once, by its pinned version, into the user's cache folder.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function playwright() {
  const manifest = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
  const version = manifest.dependencies["playwright-core"];
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "picket", `playwright-core-${version}`);
  const entry = join(folder, "node_modules", "playwright-core", "index.mjs");
  if (!existsSync(entry)) {
    mkdirSync(folder, { recursive: true });
    execFileSync("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", `playwright-core@${version}`], { stdio: ["ignore", "inherit", "inherit"] });
  }
  return import(pathToFileURL(entry).href);
}

function executable() {
  const candidates = [process.env.PICKET_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error("no Chromium is installed: `apt-get install chromium`, or name one in PICKET_CHROMIUM");
  return found;
}

/** Runs `use(page, context)` in a fresh browser and leaves nothing behind. */
export async function withPage(use) {
  const { chromium } = await playwright();
  const profile = mkdtempSync(join(tmpdir(), "picket-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable(),
    args: FLAGS,
    viewport: { width: 1440, height: 1000 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    return await use(page, context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
