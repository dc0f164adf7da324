// One walk through the admin as people go through it: everything that a page can do is done once, by mouse or by
// keys, and each page is looked at on a phone and on a desk, light and dark.

import { accessible, assert, base, picture, signIn, visit } from "./visit.mjs";

const { TOKEN, PASSWORD } = process.env;

async function api(method, path, body, headers = {}) {
  const response = await fetch(`${base}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  assert(response.ok, `${method} ${path} is answered with ${response.status} as a success`);
  return response.status === 204 ? null : response.json();
}
const create = (component) => api("POST", "components", component);
const change = (id, patch) => api("PATCH", `components/${id}`, patch, { "if-match": "*" });

/** The three figures of the replaced system, as they are served now. */
async function figures() {
  const text = await (await fetch(`${base}/metrics/`)).text();
  const figure = (name) => Number(text.match(new RegExp(`^${name} (.*)$`, "m"))[1]);
  return {
    created: figure("inventory_components_created_total"),
    deleted: figure("inventory_components_deleted_total"),
    total: figure("inventory_components_total"),
  };
}

async function moved(before, { created = 0, deleted = 0 }) {
  const now = await figures();
  const told = JSON.stringify({ before, now });
  assert(now.created === before.created + created, `${created} more were created: ${told}`);
  assert(now.deleted === before.deleted + deleted, `${deleted} more were deleted: ${told}`);
  assert(now.total === before.total + created - deleted, `the gauge moved by as much: ${told}`);
}

const names = (page) => page.locator("#list tbody td.name a").allTextContents();
const until = (page, text) => page.locator("#main").getByText(text).first().waitFor();

async function emptyAndFirst(page) {
  await page.goto(`${base}/admin/`);
  await picture(page, "home-empty");
  await page.goto(`${base}/admin/components`);
  await until(page, "No components yet");
  await picture(page, "list-empty");
  const before = await figures();
  await page.getByRole("link", { name: "New component" }).first().click();
  await page.locator("#name:focus").waitFor();
  await page.keyboard.type("74HC00");
  await page.getByLabel("SKU").fill("74xx/74HC00");
  await page.getByLabel("Unit cost").fill("cheap");
  await page.getByLabel("Tags").fill("logic, cmos");
  await page.getByRole("button", { name: "Add custom field" }).click();
  await page.getByLabel("Custom field name").first().fill("package");
  await page.getByLabel("Custom field value").first().fill("SOIC-14");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.locator("#errors").waitFor();
  assert(await page.locator("#errors").evaluate((errors) => errors === document.activeElement), "the errors have the focus");
  assert((await page.getByLabel("SKU").inputValue()) === "74xx/74HC00", "what was typed is still there");
  await picture(page, "form-errors");
  await page.getByLabel("Unit cost").fill("0.25");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await until(page, "Component created.");
  await moved(before, { created: 1 });
  await picture(page, "component");
  const again = await figures();
  await page.getByRole("link", { name: "Delete" }).click();
  await picture(page, "delete");
  await page.getByRole("button", { name: "Delete" }).click();
  await until(page, "1 component deleted.");
  await moved(again, { deleted: 1 });
}

async function fill() {
  const makers = ["Nexperia", "Texas Instruments", "Microchip", "Würth Elektronik"];
  const functions = ["Quad 2-input NAND gate", "Dual D flip-flop with set and reset, positive-edge trigger", "Octal bus transceiver, 3-state", "8-bit shift register"];
  const operations = Array.from({ length: 60 }, (_, number) => ({
    op: "create",
    component: {
      name: `74HC${String(number * 7).padStart(3, "0")}`,
      sku: `74xx/74HC${String(number * 7).padStart(3, "0")}`,
      description: functions[number % 4],
      manufacturer: makers[number % 4],
      mpn: `74HC${String(number * 7).padStart(3, "0")}D,653`,
      tags: ["logic", number % 2 ? "cmos" : "ttl"],
      unit_cost: `0.${10 + number}`,
      currency: "EUR",
      status: number % 9 === 8 ? "archived" : "active",
    },
  }));
  await api("POST", "components/batch", { operations });
}

async function list(page) {
  await page.goto(`${base}/admin/components`);
  await picture(page, "list");
  // Sorting, pages and filters go on without loading the page again.
  await page.evaluate(() => (window.here = true));
  await page.locator("#sort-name").click();
  await page.locator('th[aria-sort="ascending"]').waitFor();
  assert((await names(page))[0] === "74HC000", "the list is sorted by name");
  await page.locator("#next").click();
  await page.locator("#previous").waitFor();
  assert((await names(page)).length === 10, "the second page has the rest");
  await page.goBack();
  await page.locator("#next").waitFor();
  await page.getByLabel("Microchip").check();
  await until(page, "Manufacturer: Microchip");
  await picture(page, "list-filtered");
  await page.getByRole("link", { name: "Clear all" }).click();
  await page.locator(".chips").waitFor({ state: "detached" });
  // Search as one types, from anywhere by one key; the list is one more key away.
  await page.keyboard.press("/");
  await page.keyboard.type("flip 74hc03");
  await page.waitForFunction(() => document.querySelectorAll("#list tbody tr").length === 1);
  assert((await names(page))[0] === "74HC035", "the search has found it");
  assert(await page.locator("#find").evaluate((box) => box === document.activeElement), "the search box keeps the focus");
  assert(await page.evaluate(() => window.here), "all this was one page");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("e");
  await page.locator("#edit input[name=value]").waitFor();
  await accessible(page, "a cell that is changed");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("74HC035 renamed");
  await page.keyboard.press("Enter");
  await page.locator("tr a", { hasText: "74HC035 renamed" }).waitFor();
  assert(await page.evaluate(() => document.activeElement.matches("tr")), "the row has the focus again");
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "74HC035 renamed" }).waitFor();
  await until(page, "web admin");
}

async function columnsAndTheme(page) {
  await page.goto(`${base}/admin/components`);
  await page.locator(".columns summary").click();
  await picture(page, "columns");
  await page.getByRole("checkbox", { name: "Created by" }).check();
  await page.getByRole("button", { name: "Apply columns" }).click();
  await page.locator("th", { hasText: "Created by" }).waitFor();
  await page.locator(".columns summary").click();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.locator("th", { hasText: "Created by" }).waitFor({ state: "detached" });
  await page.locator(".who summary").click();
  await picture(page, "menu");
  await page.getByRole("button", { name: "Dark" }).click();
  await page.locator('html[data-theme="dark"]').waitFor();
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: "System" }).click();
  await page.locator("html:not([data-theme])").waitFor();
}

async function bulk(page) {
  await page.goto(`${base}/admin/components?sort=name`);
  const boxes = page.locator('input[name="row"]');
  await boxes.nth(0).check();
  await boxes.nth(2).click({ modifiers: ["Shift"] });
  await until(page, "3 selected");
  await picture(page, "selected");
  await page.getByLabel("Bulk action").selectOption("delete");
  await page.getByRole("button", { name: "Continue" }).click();
  await until(page, "Delete 3 components?");
  await picture(page, "bulk");
  const before = await figures();
  await page.getByRole("button", { name: "Delete" }).click();
  await until(page, "3 components deleted.");
  await moved(before, { deleted: 3 });
}

/** Two people and one component; then a third way, the API. */
async function merge(open, page) {
  const component = await create({ name: "Bracket", description: "Steel", unit: "pcs" });
  const address = `${base}/admin/components/${component.id}`;
  const other = await open();
  await signIn(other, "admin", PASSWORD);
  await page.goto(address);
  await other.goto(address);
  await page.getByLabel("Description").fill("Steel, zinc-plated");
  await page.getByLabel("Unit", { exact: true }).fill("bag");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until(page, "Saved.");
  await other.getByLabel("Description").fill("Stainless steel");
  await other.getByLabel("Notes").fill("Shelf 4");
  await other.getByRole("button", { name: "Save", exact: true }).click();
  await until(other, "Someone else changed this too");
  await picture(other, "merge");
  assert(await other.locator('[name="take.notes"][value=yours]').isChecked(), "what only this one changed is suggested");
  assert(await other.locator('[name="take.unit"][value=theirs]').isChecked(), "what only the other changed is suggested");
  assert((await other.locator('[name="take.description"]:checked').count()) === 0, "what both changed is asked");
  await other.locator('[name="take.description"][value=yours]').check();
  await other.getByRole("button", { name: "Save merged version" }).click();
  await until(other, "Saved.");
  const merged = await api("GET", `components/${component.id}`);
  const told = JSON.stringify(merged);
  assert(merged.description === "Stainless steel" && merged.notes === "Shelf 4" && merged.unit === "bag" && merged.version === 3, `the merge is saved: ${told}`);
  // The page that is still open hears of a change by the API before anything is typed over it.
  await other.locator("#news").waitFor({ state: "hidden" });
  await change(component.id, { mpn: "by the API" });
  await until(other, "This component was just changed by token bootstrap.");
  await picture(other, "component-news");
  await other.getByLabel("Barcode").fill("4006381333931");
  await other.getByRole("button", { name: "Save", exact: true }).click();
  await until(other, "Someone else changed this too");
  await other.getByRole("button", { name: "Save merged version" }).click();
  await until(other, "Saved.");
  const both = await api("GET", `components/${component.id}`);
  assert(both.mpn === "by the API" && both.barcode === "4006381333931", "nothing of either is lost");
  await other.goto(`${address}/history`);
  await picture(other, "history");
  await other.context().close();
}

async function live(page) {
  await page.goto(`${base}/admin/components?sort=name`);
  const first = await page.locator("#list tbody tr").first().getAttribute("id");
  await change(first.slice("row-".length), { mpn: "changed elsewhere" });
  await page.locator(`#${first}.changed .mark`, { hasText: "changed by token bootstrap" }).waitFor();
  await create({ name: "00 arrived meanwhile" });
  await page.locator("#news", { hasText: "1 new component, 1 row changed by others." }).waitFor();
  await picture(page, "list-news");
  await page.locator("#news a").click();
  await page.locator("#list tbody tr a", { hasText: "00 arrived meanwhile" }).waitFor();
  // A page whose position is not of this log, as after a restored backup, is told so.
  await page.evaluate(() => {
    document.querySelector("[data-since]").dataset.since = "0-1-00000000";
    document.dispatchEvent(new Event("swapped"));
  });
  await page.locator("#news", { hasText: "A lot has changed since this page was loaded." }).waitFor();
}

async function failures(page) {
  await page.goto(`${base}/admin/nowhere`);
  await picture(page, "not-found");
  await page.goto(`${base}/admin/components?q=nothing-like-it`);
  await picture(page, "list-no-match");
  await page.goto(`${base}/admin/`);
  await picture(page, "home");
  await page.keyboard.press("Tab");
  assert(await page.evaluate(() => document.activeElement.matches(".skip")), "the first key leads past the navigation");
  // What was typed outlives a sign-out elsewhere.
  await page.goto(`${base}/admin/components/new`);
  await page.getByLabel("Name (required)").fill("typed at length");
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.locator("#trouble", { hasText: "You are signed out." }).waitFor();
  assert((await page.getByLabel("Name (required)").inputValue()) === "typed at length", "what was typed is still there");
}

async function withoutScript(open) {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page, "admin", PASSWORD);
  await page.goto(`${base}/admin/components/new`);
  await page.getByLabel("Name (required)").fill("Made without a script");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await until(page, "Component created.");
  await page.getByLabel("Notes").fill("and changed");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until(page, "Saved.");
  await page.getByLabel("Search components").fill("without script");
  await page.getByLabel("Search components").press("Enter");
  await page.locator("tbody a", { hasText: "Made without a script" }).waitFor();
  await page.locator('input[name="row"]').check();
  await page.getByLabel("Bulk action").selectOption("delete");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await until(page, "1 component deleted.");
}

await visit(async ({ open }) => {
  const page = await open();
  await page.goto(`${base}/admin/components`);
  await picture(page, "sign-in");
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await until(page, "Wrong name or password.");
  await picture(page, "sign-in-refused");
  await signIn(page, "admin", PASSWORD);
  await emptyAndFirst(page);
  await fill();
  await list(page);
  await columnsAndTheme(page);
  await bulk(page);
  await merge(open, page);
  await live(page);
  await failures(page);
  await withoutScript(open);
});
