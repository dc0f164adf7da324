// Bringing files in and taking them away, as an administrator goes through it: by mouse or by keys, with a script
// and without, each page looked at on a phone and on a desk, light and dark.

import { readFileSync } from "node:fs";

import { assert, base, picture, signIn, visit } from "./visit.mjs";

const { PASSWORD, TOKEN } = process.env;

const until = (page, text) => page.locator("#main").getByText(text).first().waitFor();

async function figure(name) {
  const text = await (await fetch(`${base}/metrics/`)).text();
  return Number(text.match(new RegExp(`^${name} (.*)$`, "m"))[1]);
}

async function change(sku, patch) {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" };
  const list = await (await fetch(`${base}/api/v1/components?sku=${encodeURIComponent(sku)}`, { headers })).json();
  const body = JSON.stringify(patch);
  const answer = await fetch(`${base}/api/v1/components/${list.items[0].id}`, { method: "PATCH", headers, body });
  assert(answer.ok, `the change of ${sku} is answered with ${answer.status} as a success`);
}

const file = (name, lines) => ({ name, mimeType: "text/csv", buffer: Buffer.from(`${lines.join("\n")}\n`) });
const numbers = (count) => Array.from({ length: count }, (_, number) => number);

async function upload(page, chosen) {
  await page.goto(`${base}/admin/import`);
  await page.getByLabel("File").setInputFiles(chosen);
  await page.getByRole("button", { name: "Upload" }).click();
}

/** The acceptance test of the replaced system: fifty more, and the figures say so at once. */
async function fifty(page) {
  await page.goto(`${base}/admin/`);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Import" }).click();
  await page.getByLabel("File").setInputFiles({ name: "long.csv", mimeType: "text/csv", buffer: Buffer.alloc(8 * 1024 * 1024 + 1, "x") });
  await until(page, "The file is larger than 8 MB");
  await picture(page, "import");
  const rows = numbers(50).map((number) => `R${number},Device,"Resistor, ${number} Ω",red,${number % 2 ? "smd" : "smd,chip"}`.replace(/(smd,chip)$/, '"$1"'));
  await upload(page, file("resistors.csv", ["Part Number,Library,Description,Colour,Keywords", ...rows]));
  await until(page, "Map columns of resistors.csv");
  await page.getByLabel("SKU").fill("{Library}/{Number}");
  await page.getByLabel("Custom field for column Colour").fill("colour");
  await page.getByRole("button", { name: "Preview" }).click();
  await until(page, "which the file does not have");
  assert((await page.getByLabel("Custom field for column Colour").inputValue()) === "colour", "what was typed is still there");
  await picture(page, "import-columns");
  await page.getByLabel("SKU").fill("{Library}/{Part Number}");
  await page.getByRole("button", { name: "Preview" }).click();
  await until(page, "Device/R0");
  await picture(page, "import-preview");
  await page.getByRole("link", { name: "Next" }).click();
  await until(page, "line 51");
  const [created, total] = [await figure("inventory_components_created_total"), await figure("inventory_components_total")];
  await page.getByRole("button", { name: "Import: 50 to create" }).click();
  await until(page, "resistors.csv was imported");
  assert((await figure("inventory_components_created_total")) === created + 50, "fifty more were created");
  assert((await figure("inventory_components_total")) === total + 50, "the gauge moved by as much");
  await picture(page, "import-done");
  await page.getByRole("link", { name: "Show imported components" }).click();
  await until(page, "R49");
}

async function wrongAndOvertaken(page) {
  await upload(page, file("wrong.csv", ["sku,name,unit_cost,datasheet_url", "Device/R0,R0,cheap,www.example.org", ",R1,1,", "Device/R2,,1,"]));
  await until(page, "3 rows have errors. Nothing is imported until they are fixed.");
  await page.getByRole("link", { name: "3 Errors" }).click();
  await until(page, "must be a decimal");
  await picture(page, "import-errors");
  await page.getByRole("button", { name: "Discard file" }).click();
  await until(page, "Import a CSV file");
  await upload(page, file("changes.csv", ["sku,name,description,tags", "Device/R0,R0,Zero ohm,smd", "Device/R1,R1,,", 'Device/R2,R2,"Resistor, 2 Ω","smd,chip"']));
  await until(page, "Import: 0 to create, 2 to change");
  await picture(page, "import-changes");
  await change("Device/R0", { description: "theirs" });
  await page.getByRole("button", { name: "Import" }).click();
  await until(page, "others changed some of these components");
  await until(page, "Line 2: R0 was changed by token bootstrap in the meantime.");
  await picture(page, "import-overtaken");
  await page.getByRole("button", { name: "Import" }).click();
  await until(page, "changes.csv was imported");
}

/** One that takes long enough to be looked at. */
async function progress(page) {
  await upload(page, file("many.csv", ["sku,name", ...numbers(12000).map((number) => `M-${number},Many ${number}`)]));
  await until(page, "Import: 12,000 to create");
  // What the page asks is answered when it has been looked at.
  let look;
  const looked = new Promise((resolve) => (look = resolve));
  await page.route("**/progress", async (route) => {
    await looked;
    await route.continue();
  });
  await page.getByRole("button", { name: "Import" }).click();
  await until(page, "Importing many.csv");
  await picture(page, "import-running");
  look();
  await until(page, "many.csv was imported");
  await page.unroute("**/progress");
}

async function withoutScript(open) {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page, "admin", PASSWORD);
  await upload(page, file("plain.csv", ["sku,name", "=1+1,a formula", "P-1,plain"]));
  await page.getByRole("button", { name: "Import: 2 to create" }).click();
  await until(page, "plain.csv was imported");
}

async function exported(page) {
  await page.goto(`${base}/admin/components?q=formula`);
  await page.locator("summary", { hasText: "Export" }).click();
  await picture(page, "export");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
  assert(download.suggestedFilename() === "components.csv", "the file has a name");
  const path = await download.path();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert(lines.length === 2 && lines[1].includes(",'=1+1,a formula,"), `no cell is run by a spreadsheet: ${lines[1]}`);
  await upload(page, { name: "components.csv", mimeType: "text/csv", buffer: readFileSync(path) });
  await until(page, "Nothing to import");
}

await visit(async ({ open }) => {
  const page = await open();
  await signIn(page, "admin", PASSWORD);
  await fifty(page);
  await wrongAndOvertaken(page);
  await progress(page);
  await withoutScript(open);
  await exported(page);
});
