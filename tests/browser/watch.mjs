// node watch.mjs BASE_URL OUT_PNG
//
// Opens the dashboard, watches one incident appear and come to its end, presses STOP, sees it hold (also across a reload), and saves
// three pictures: OUT_PNG (light), OUT_PNG with -dark and with -stopped before its extension. Exits nonzero with the reason otherwise.
// PICKET_WATCH_S: how long to wait for the incident, in real seconds (180).
import { setTimeout as pause } from "node:timers/promises";
import { withPage } from "./browser.mjs";

const [base, out] = process.argv.slice(2);
const WATCH_MS = 1000 * Number(process.env.PICKET_WATCH_S ?? 180);
const STEP_MS = 15_000;
const HOLD_MS = 3_000;

class Missing extends Error {}

/** Looks until `look` gives something; says what was awaited when it does not come. */
async function until(what, look, withinMs = STEP_MS) {
  const end = Date.now() + withinMs;
  let last;
  for (;;) {
    last = await look();
    if (last) return last;
    if (Date.now() > end) throw new Missing(`waited ${withinMs / 1000} s for ${what}; it did not come`);
    await pause(150);
  }
}

const named = (suffix) => out.replace(/(\.png)?$/, `-${suffix}.png`);

const rows = (page) =>
  page.$$eval("[data-incident]", (found) => found.map((row) => ({ id: row.dataset.incident, state: row.dataset.state, over: row.dataset.over === "true" })));

const incidentEnds = async (page) => {
  const seen = new Map();
  return until(
    "an incident that appears and comes to its end",
    async () => {
      const pill = await page.$("#fresh");
      if (pill) await pill.click();
      for (const row of await rows(page)) {
        const before = seen.get(row.id);
        if (before && !before.over && row.over) return { ...row, way: [...before.way, row.state] };
        const way = before ? before.way : [];
        if (way.at(-1) !== row.state) way.push(row.state);
        seen.set(row.id, { over: row.over, way });
      }
      return null;
    },
    WATCH_MS,
  ).catch((error) => {
    const known = [...seen].map(([id, { way }]) => `${id}: ${way.join(" → ")}`).join("; ");
    throw new Missing(`${error.message}. Seen: ${known || "no incident at all"}`);
  });
};

const stop = (page) => page.$eval("#stop-state", (element) => ({ set: element.dataset.stop === "set", says: element.textContent.trim() }));

async function watch(page) {
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(`script error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && trouble.push(`console: ${message.text()}`));

  await page.goto(base, { waitUntil: "load" });
  await until("the page to start (`cargo xtask dashboard` builds it)", () => page.$("#stop, #resume"));
  await until("the agents' phases", async () => (await page.$$("[data-agent]")).length >= 1);
  if ((await stop(page)).set) throw new Missing("STOP is set already; resume before this test");

  const incident = await incidentEnds(page);
  console.log(`incident ${incident.id}: ${incident.way.join(" → ")}`);
  await page.click(`[data-incident="${incident.id}"] a`);
  await until("the incident's sentence", () => page.$(".sentence:not(:empty)"));
  // Out of the lists, so that they arrange themselves.
  await page.mouse.move(2, 2);
  await page.screenshot({ path: out });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: named("dark"), fullPage: true });
  await page.emulateMedia({ colorScheme: "light" });

  await page.click("#stop");
  await until("the question before STOP", async () => (await page.$("dialog[open] #confirm")) !== null);
  await page.click("#confirm");
  await until("STOP to be set", async () => (await stop(page)).set);
  await until("every agent in Observe", async () => (await page.$$eval("[data-agent]", (all) => all.every((a) => a.dataset.phase === "observe"))));
  const end = Date.now() + HOLD_MS;
  while (Date.now() < end) {
    if (!(await stop(page)).set) throw new Missing("STOP was set and then let go");
    await pause(200);
  }
  await page.reload({ waitUntil: "load" });
  await until("STOP to hold across a reload", async () => (await page.$("#stop-state")) && (await stop(page)).set);
  await until("claimed acts to come to their end", async () => (await stop(page)).says.startsWith("stopped"), 60_000);
  await page.screenshot({ path: named("stopped") });
  console.log(`STOP holds: ${(await stop(page)).says}`);
  if (trouble.length > 0) throw new Missing(`the page reported ${trouble.join("; ")}`);
}

if (!base || !out) {
  console.error("usage: node watch.mjs BASE_URL OUT_PNG");
  process.exit(2);
}
try {
  await withPage(watch);
  console.log(`pictures: ${out}, ${named("dark")}, ${named("stopped")}`);
} catch (error) {
  console.error(`browser test failed: ${error instanceof Missing ? error.message : error.stack}`);
  process.exit(1);
}
