// The list: what it is narrowed by, its keys, the command palette, and what is done to everything that matches.

import { PHONE, DESKTOP, accessible, assert, base, picture, signIn, visit } from "./visit.mjs";

const { TOKEN, PASSWORD } = process.env;

async function api(method, path, body) {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const response = await fetch(`${base}/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert(response.ok, `${method} ${path} is answered with ${response.status} as a success`);
  return response.json();
}

const names = (page) => page.locator("#list tbody td.name a").allTextContents();
const until = (page, text) => page.locator("#main").getByText(text).first().waitFor();
const focused = (page, selector) => page.waitForFunction((selector) => document.activeElement?.matches(selector), selector);

async function fill() {
  const makers = ["Nexperia", "Texas Instruments", "Microchip", "Würth Elektronik", "Vishay", "TDK", "Murata", "Yageo", "Kemet", "Bourns"];
  const operations = Array.from({ length: 120 }, (_, number) => ({
    op: "create",
    component: {
      name: `74HC${String(number).padStart(3, "0")}`,
      sku: number % 6 ? `74xx/74HC${String(number).padStart(3, "0")}` : null,
      description: number % 2 ? "Quad 2-input NAND gate" : "8-bit shift register",
      manufacturer: makers[number % makers.length],
      tags: ["logic", number % 2 ? "cmos" : "ttl"],
      unit: number % 10 ? "pcs" : "reel",
      unit_cost: `0.${10 + (number % 90)}`,
      currency: number % 3 ? "EUR" : "USD",
    },
  }));
  await api("POST", "components/batch", { operations });
}

async function filters(page) {
  await page.goto(`${base}/admin/components`);
  await page.locator("#filters form").waitFor();
  await page.locator("#created_at .n").waitFor();
  await page.evaluate(() => (window.here = true));
  await picture(page, "filters");
  // The panel follows the list, and what has the focus keeps it.
  const maker = page.getByLabel("Microchip");
  await maker.focus();
  await page.keyboard.press("Space");
  await until(page, "Manufacturer: Microchip");
  await page.locator("#filters[data-loaded*=Microchip]").waitFor();
  await focused(page, '[value="Microchip"]');
  assert((await names(page)).length === 12, "the list has one maker");
  await page.locator("#filters summary", { hasText: "Unit" }).first().waitFor();
  await page.locator("#filters summary").getByText("Missing values").click();
  await page.getByLabel("No SKU").check();
  await page.locator(".chip", { hasText: "No SKU" }).waitFor();
  // From the years to a day, which is one chip.
  const year = String(new Date().getUTCFullYear());
  await page.locator("#created_at a", { hasText: year }).click();
  await page.locator(".chip", { hasText: `Created in ${year}` }).waitFor();
  for (const level of [1, 2]) {
    await page.locator(`#created_at .within li:nth-child(${level + 1})`).waitFor();
    await page.locator("#created_at ul a").first().click();
  }
  await page.locator(".chip", { hasText: "Created on " }).waitFor();
  await page.locator('#created_at ul [aria-current="true"]').waitFor();
  // What lies half under the bar at the top is no small target.
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, "dates");
  await page.getByRole("link", { name: "Remove filter: Created on" }).click();
  await page.locator(".chip", { hasText: "Created on " }).waitFor({ state: "detached" });
  assert(await page.evaluate(() => window.here), "all this was one page");
  await page.getByRole("link", { name: "Clear all" }).click();
  await page.locator(".chips").waitFor({ state: "detached" });
  // What there are many of has a page.
  await page.locator("#filters:not([aria-busy])").waitFor();
  await page.getByRole("link", { name: "More values for Manufacturer" }).click();
  await page.locator("h1", { hasText: "Manufacturer" }).waitFor();
  await picture(page, "values");
  await page.getByRole("link", { name: /Bourns/ }).click();
  await until(page, "Manufacturer: Bourns");
}

async function onAPhone(page) {
  await page.setViewportSize(PHONE);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${base}/admin/components`);
  await page.locator("#list tbody tr").first().waitFor();
  assert(!(await page.locator("#filters").isVisible()), "a phone shows the list first");
  await page.locator("#side-filters > summary").click();
  await page.locator("#filters form").waitFor();
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/filters-open-phone-light.png` });
  await accessible(page, "the filters on a phone");
  assert(!asked.some((url) => url.includes("/dates/")), "what is closed is not asked for");
  await page.locator(".go").click();
  await page.locator("#palette [role=option]").first().waitFor();
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/palette-open-phone-light.png` });
  await page.getByRole("button", { name: "Close" }).click();
  await page.setViewportSize(DESKTOP);
}

async function keys(page) {
  await page.goto(`${base}/admin/components?sort=name`);
  await page.keyboard.press("/");
  await page.keyboard.press("ArrowDown");
  await focused(page, "#list tbody tr:first-child");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await focused(page, "#list tbody tr:nth-child(2) td.name");
  await page.keyboard.press("ArrowRight");
  await focused(page, "#list tbody tr:nth-child(2) td.long");
  await accessible(page, "a cell that has the focus");
  await page.keyboard.press("e");
  await page.locator("#edit textarea").waitFor();
  await page.keyboard.press("Escape");
  await focused(page, "#list tbody tr:nth-child(2) td.long");
  await page.keyboard.press("e");
  await page.locator("#edit textarea").waitFor();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("Changed by keys");
  await page.keyboard.press("ControlOrMeta+Enter");
  await page.locator("td.long", { hasText: "Changed by keys" }).waitFor();
  await focused(page, "#list tbody tr:nth-child(2) td.long");
  await page.keyboard.press("ArrowDown");
  await focused(page, "#list tbody tr:nth-child(3) td.long");
  await page.keyboard.press("x");
  await until(page, "1 selected");
  await page.keyboard.press("a");
  await focused(page, "#bulk select");
  await page.keyboard.press("Escape");
  await focused(page, "#list tbody tr:nth-child(3)");
  await page.keyboard.press("Escape");
  await focused(page, "#find");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+?");
  await page.locator("#keys-dialog[open]").waitFor();
  await accessible(page, "the keys");
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/keys-open-desktop-light.png` });
  await page.keyboard.press("Escape");
  await page.locator("#keys-dialog").waitFor({ state: "detached" });
  await focused(page, "#list tbody tr:first-child");
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "74HC000" }).waitFor();
  await page.goto(`${base}/admin/keys`);
  await picture(page, "keys");
}

/** Opens the palette by its keys, once the scripts of the page are there to hear them. */
async function openPalette(page) {
  await page.waitForLoadState("load");
  await page.keyboard.press("ControlOrMeta+k");
  await focused(page, "#palette input");
}

async function palette(page) {
  await page.goto(`${base}/admin/`);
  await openPalette(page);
  const box = page.getByRole("combobox");
  await page.locator("#palette [role=option]").first().waitFor();
  await picture(page, "palette");
  // The answer to what was typed first comes last, and is not shown.
  const held = [];
  await page.route("**/admin/palette?q=7", (route) => held.push(route));
  await page.keyboard.type("7");
  await page.waitForRequest("**/admin/palette?q=7");
  await page.keyboard.type("4hc042");
  await page.locator("#palette [aria-selected=true]", { hasText: "74HC042" }).waitFor();
  for (const route of held) await route.continue().catch(() => {});
  await picture(page, "palette-found");
  assert((await page.locator("#palette [role=option] small").count()) === 0, "one component without a sku is found");
  assert((await box.getAttribute("aria-activedescendant")) === "palette-option-0", "the box names what is chosen");
  await page.keyboard.press("ArrowDown");
  assert((await box.getAttribute("aria-activedescendant")) === "palette-option-1", "and follows the keys");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "74HC042" }).waitFor();
  // Enter waits for the answer to what was typed.
  await openPalette(page);
  await page.keyboard.type("new comp");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/admin/components/new");
  await page.getByRole("link", { name: "Go to" }).click();
  await focused(page, "#palette input");
  await page.keyboard.type("theme dark");
  await page.keyboard.press("Enter");
  await page.locator('html[data-theme="dark"]').waitFor();
  assert(page.url().endsWith("/admin/components/new"), "the theme goes back to where it was chosen");
  await openPalette(page);
  await page.keyboard.type("theme system");
  await page.locator("#palette [aria-selected=true]", { hasText: "system" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator("html:not([data-theme])").waitFor();
  await openPalette(page);
  await page.keyboard.type("nothing-like-it");
  await page.locator("#palette .none", { hasText: "No matches." }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#palette:not([open])").waitFor({ state: "attached" });
  await page.goto(`${base}/admin/palette?q=74hc`);
  await picture(page, "palette-page");
}

async function everything(page) {
  await page.goto(`${base}/admin/components?manufacturer=Kemet`);
  await page.locator('input[name="row"]').first().check();
  await page.getByLabel("All matching (12)").check();
  await page.getByLabel("Bulk action").selectOption("set");
  await page.getByRole("button", { name: "Continue" }).click();
  await until(page, "Change a field in 12 components");
  await page.locator('select[name="field"]').selectOption("unit");
  await page.locator('input[name="value"]').fill("bag");
  await picture(page, "bulk-field");
  await page.getByRole("button", { name: "Change field" }).click();
  await until(page, "12 components changed.");
  assert((await page.locator("#list tbody tr").count()) === 12, "the list is the one from before");
}

async function withoutScript(open) {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page, "admin", PASSWORD);
  await page.goto(`${base}/admin/components?sort=name`);
  await page.getByRole("link", { name: "Choose filters" }).click();
  await page.getByLabel("Microchip").check();
  await page.getByRole("button", { name: "Apply" }).click();
  await until(page, "Manufacturer: Microchip");
  await page.getByRole("link", { name: "By date" }).first().click();
  await page.locator("#created_at ul a").first().click();
  await page.locator(".chip", { hasText: "Created in" }).waitFor();
  assert(new URL(page.url()).searchParams.get("sort") === "name", "the order is kept");
  await page.getByRole("link", { name: "Go to" }).click();
  await page.getByLabel("Find a component, page or action").fill("74hc042");
  await page.getByRole("button", { name: "Find" }).click();
  await page.locator("#found a", { hasText: "74HC042" }).click();
  await page.locator("h1", { hasText: "74HC042" }).waitFor();
  await page.goto(`${base}/admin/palette?q=sign`);
  await page.getByRole("button", { name: "Sign out" }).last().click();
  await until(page, "You are signed out.");
}

await visit(async ({ open }) => {
  const page = await open();
  await signIn(page, "admin", PASSWORD);
  await fill();
  await filters(page);
  await onAPhone(page);
  await keys(page);
  await palette(page);
  await everything(page);
  await withoutScript(open);
});
