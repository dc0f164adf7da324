// What works on every page: times in the zone of the viewer, menus that close, and keys.

document.documentElement.classList.add("scripted");

const long = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const near = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localise() {
  for (const time of document.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = near.format(at);
    time.title = long.format(at);
  }
}
localise();
document.addEventListener("swapped", localise);

// The theme goes back to the page where it was chosen.
for (const form of document.querySelectorAll("form[data-theme-form]")) {
  form.addEventListener("submit", () => {
    form.elements.next.value = location.pathname + location.search;
  });
}

// What is to be kept is one click away; where the clipboard is closed, it is selected instead.
function offerCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}
offerCopies();
document.addEventListener("swapped", offerCopies);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  getSelection().selectAllChildren(source);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
    window.inventory.say("Copied.");
  } catch {
    window.inventory.say("Selected. Press Ctrl+C or ⌘C to copy.");
  }
});

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(but)) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target));

/** Whether keys are letters now: in a field that takes text. */
const typing = (target) => target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio]), textarea, select");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = event.target.closest?.("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
  if (event.key === "/") {
    const box = document.getElementById("find");
    if (box) {
      event.preventDefault();
      box.focus();
      box.select();
    }
  }
});

/** Shows the page about keys in a dialog. */
async function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const page = await fetch("/admin/keys", { credentials: "same-origin" })
    .then((response) => response.text())
    .then((text) => new DOMParser().parseFromString(text, "text/html"))
    .catch(() => null);
  const keys = page?.querySelector(".keys");
  if (!keys || document.querySelector("dialog[open]")) return;
  const dialog = document.createElement("dialog");
  dialog.id = "keys-dialog";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const form = document.createElement("form");
  form.method = "dialog";
  const close = document.createElement("button");
  close.textContent = "Close";
  form.append(close);
  dialog.append(document.adoptNode(keys), form);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  // The focus is at its end, where it is closed.
  dialog.scrollTop = 0;
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
  if (!document.querySelector(".who")) return;
  event.preventDefault();
  showKeys();
});
