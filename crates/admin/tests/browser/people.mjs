// Users, API tokens and one's own account, as an administrator and a viewer go through them: by mouse or by keys,
// with a script and without, each page looked at on a phone and on a desk, light and dark.

import { assert, base, picture, signIn, visit } from "./visit.mjs";

const { PASSWORD } = process.env;
const OTHER = "staple battery horse";

const until = (page, text) => page.locator("#main").getByText(text).first().waitFor();

/** What was just done; the same words may be in what was not. */
const told = (page, text) => page.locator("p.notice", { hasText: text }).waitFor();

async function answers(secret) {
  return (await fetch(`${base}/api/v1/components`, { headers: { authorization: `Bearer ${secret}` } })).status;
}

async function addUser(page, name, role) {
  await page.goto(`${base}/admin/users/new`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("radio", { name: role }).check();
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Confirm password").fill(PASSWORD);
  await page.getByRole("button", { name: "Add" }).click();
}

async function users(page) {
  await page.goto(`${base}/admin/`);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Users" }).click();
  await page.getByRole("link", { name: "Add user" }).click();
  await picture(page, "user-new");
  await page.getByLabel("Name", { exact: true }).fill("Anna");
  await page.getByRole("radio", { name: "editor" }).check();
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Confirm password").fill(OTHER);
  await page.getByRole("button", { name: "Add" }).click();
  await until(page, "The user was not added.");
  assert((await page.getByLabel("Name", { exact: true }).inputValue()) === "Anna", "what was typed is still there");
  assert(await page.getByRole("radio", { name: "editor" }).isChecked(), "what was chosen is still there");
  await picture(page, "user-new-errors");
  await addUser(page, "anna", "editor");
  await until(page, "User added.");
  await addUser(page, "viktor", "viewer");
  await until(page, "User added.");
  await page.goto(`${base}/admin/users`);
  await picture(page, "users");
}

/** What an administrator does to someone who is signed in. */
async function oneUser(open, page) {
  const anna = await open();
  await signIn(anna, "anna", PASSWORD);
  await page.goto(`${base}/admin/users`);
  await page.getByRole("link", { name: "anna" }).click();
  await until(page, "Sign out everywhere");
  await picture(page, "user");
  const stale = await open();
  await signIn(stale, "admin", PASSWORD);
  await stale.goto(page.url());
  await page.getByRole("radio", { name: "viewer" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await told(page, "Saved.");
  // The very next request of the signed-in user obeys.
  await anna.goto(`${base}/admin/components/new`);
  await anna.getByRole("heading", { name: "Not allowed" }).waitFor();
  await picture(anna, "forbidden");
  assert((await anna.locator(".sections a").allTextContents()).includes("Users") === false, "a viewer sees no way to the users");
  // Another administrator had the page open.
  await stale.getByRole("checkbox", { name: "Disabled" }).check();
  await stale.getByRole("button", { name: "Save" }).click();
  await until(stale, "This user was changed by admin in the meantime, so nothing was saved.");
  assert(await stale.getByRole("checkbox", { name: "Disabled" }).isChecked(), "what was chosen is still there");
  await picture(stale, "user-stale");
  await stale.getByRole("radio", { name: "viewer" }).check();
  await stale.getByRole("button", { name: "Save" }).click();
  await told(stale, "Saved.");
  await anna.goto(`${base}/admin/components`);
  await anna.getByRole("heading", { name: "Sign in" }).waitFor();
  await stale.context().close();
  await anna.context().close();
  await page.reload();
  await page.getByLabel("New password", { exact: true }).fill(OTHER);
  await page.getByLabel("Confirm password").fill(OTHER);
  await page.getByRole("button", { name: "Set password" }).click();
  await until(page, "Password changed.");
  await page.getByRole("link", { name: "Remove" }).click();
  await picture(page, "user-remove");
  await page.getByRole("button", { name: "Remove" }).click();
  await until(page, "User removed.");
  assert((await page.getByRole("link", { name: "anna" }).count()) === 0, "the user is gone");
  // Nobody locks everybody out.
  await page.getByRole("link", { name: "admin", exact: true }).click();
  await page.getByRole("radio", { name: "editor" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await until(page, "This is the last administrator who is not disabled");
}

async function tokens(open) {
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await signIn(page, "viktor", PASSWORD);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "API tokens" }).click();
  await until(page, "No active tokens");
  await picture(page, "tokens-empty");
  await page.getByRole("link", { name: "New token" }).first().click();
  assert((await page.getByRole("checkbox", { name: "write" }).count()) === 0, "no scope beyond the role is offered");
  await page.getByRole("checkbox", { name: "view components" }).uncheck();
  await page.getByLabel("Name", { exact: true }).fill("stock-sync");
  await page.getByRole("button", { name: "Create token" }).click();
  await until(page, "Choose at least one");
  await picture(page, "token-new-errors");
  await page.getByRole("checkbox", { name: "view components" }).check();
  await page.getByRole("button", { name: "Create token" }).click();
  await until(page, "Token created");
  await picture(page, "token-made");
  const secret = await page.locator("#secret").textContent();
  await page.getByRole("button", { name: "Copy" }).first().click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert((await page.evaluate(() => navigator.clipboard.readText())) === secret, "the secret is in the clipboard");
  assert((await answers(secret)) === 200, "the token works");
  const example = await page.locator("#example").textContent();
  assert(example === `curl -H 'Authorization: Bearer ${secret}' '${base}/api/v1/components?limit=1'`, `the example is one: ${example}`);
  await page.getByRole("link", { name: "Done" }).click();
  await until(page, "stock-sync");
  assert(!(await page.content()).includes(secret), "the secret is shown once");
  await picture(page, "tokens");
  await page.getByRole("link", { name: "Revoke stock-sync" }).click();
  await picture(page, "token-revoke");
  await page.getByRole("button", { name: "Revoke" }).click();
  await until(page, "Token revoked.");
  assert((await answers(secret)) === 401, "the token is worth nothing any more");
  await page.context().close();
}

async function account(open) {
  const page = await open();
  await signIn(page, "viktor", PASSWORD);
  const other = await open();
  await signIn(other, "viktor", PASSWORD);
  // On a phone the way is in the user's menu.
  await page.setViewportSize({ width: 360, height: 760 });
  await page.locator(".who summary").click();
  await page.locator(".sheet").getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  await picture(page, "account");
  await page.getByRole("button", { name: "Dark" }).last().click();
  await page.locator('html[data-theme="dark"]').waitFor();
  await page.getByRole("button", { name: "System" }).last().click();
  await page.locator("html:not([data-theme])").waitFor();
  await page.getByLabel("Current password").fill("not this one");
  await page.getByLabel("New password", { exact: true }).fill(OTHER);
  await page.getByLabel("Confirm password").fill(OTHER);
  await page.getByRole("button", { name: "Change password" }).click();
  await until(page, "That is not your current password.");
  await page.locator("#present_password").scrollIntoViewIfNeeded();
  await picture(page, "account-errors");
  await page.getByRole("button", { name: "End session" }).first().click();
  await until(page, "1 session ended.");
  await other.goto(`${base}/admin/account`);
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Current password").fill(PASSWORD);
  await page.getByLabel("New password", { exact: true }).fill(OTHER);
  await page.getByLabel("Confirm password").fill(OTHER);
  await page.getByRole("button", { name: "Change password" }).click();
  await until(page, "Password changed.");
  await other.context().close();
  await page.context().close();
}

async function withoutScript(open) {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page, "viktor", OTHER);
  await page.goto(`${base}/admin/tokens/new`);
  await page.getByLabel("Name", { exact: true }).fill("without-a-script");
  await page.getByRole("button", { name: "Create token" }).click();
  const secret = await page.locator("#secret").textContent();
  assert((await page.getByRole("button", { name: "Copy" }).count()) === 0, "no button is there that does nothing");
  assert((await answers(secret)) === 200, "the token works");
  await page.goto(`${base}/admin/tokens`);
  await page.getByRole("link", { name: "Revoke without-a-script" }).click();
  await page.getByRole("button", { name: "Revoke" }).click();
  await until(page, "Token revoked.");
  await page.context().close();
}

await visit(async ({ open }) => {
  const page = await open();
  await signIn(page, "admin", PASSWORD);
  await users(page);
  await oneUser(open, page);
  await tokens(open);
  await account(open);
  await withoutScript(open);
});
