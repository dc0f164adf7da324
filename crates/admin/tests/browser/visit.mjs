// What the browser tests share: a Chromium that hears every complaint of a page, and screenshots of it.
//
// A test is run as `node TEST.mjs`, with the address of the service, the folder of the modules, the folder for
// screenshots and what else it needs in the environment. It fails by its exit code.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const { BASE, MODULES, SCREENSHOTS, CHROMIUM } = process.env;
const require = createRequire(join(MODULES, "node_modules", "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const base = BASE;
const shots = SCREENSHOTS;
mkdirSync(shots, { recursive: true });

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const DESKTOP = { width: 1280, height: 860 };
export const PHONE = { width: 360, height: 760 };
/** What axe calls less than serious is looked at by people. */
const SERIOUS = ["serious", "critical"];

export function assert(truth, sentence) {
  if (!truth) throw new Error(`it is not true that ${sentence}`);
}

/** Runs a test in a browser, and fails where a page complained of anything. */
export async function visit(test) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const complaints = [];
  /** A page of a visitor with cookies of their own. */
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
    const page = await context.newPage();
    page.on("console", (message) => {
      // An answer that is meant to be a failure is told by the browser as one; its page is what is looked at.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    return page;
  };
  try {
    await test({ open });
  } finally {
    await browser.close();
  }
  assert(complaints.length === 0, `no page complained: ${complaints.join("\n")}`);
}

export async function signIn(page, name, password) {
  await page.goto(`${base}/admin/`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".who").waitFor();
}

/** What axe finds on a page; serious findings fail the test. */
export async function accessible(page, name) {
  // As the debugger does it: the page itself lets no such script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const serious = violations.filter((violation) => SERIOUS.includes(violation.impact));
  const told = serious.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("\n  ")}`);
  assert(told.length === 0, `axe finds nothing serious on ${name}:\n${told.join("\n")}`);
}

/** Pictures of a page as a phone and as a desk show it, light and dark, each looked at by axe. */
export async function picture(page, name) {
  for (const [size, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    await page.setViewportSize(viewport);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert(wide <= 0, `${name} needs no scrolling sideways on a ${size} (${wide} px too wide)`);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: false });
      await accessible(page, `${name} (${size}, ${colorScheme})`);
    }
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: "light" });
}
