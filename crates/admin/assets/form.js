// The form of a component: rows of custom fields, and a word before what was typed is left behind.

const serialised = (form) => new URLSearchParams(new FormData(form)).toString();
const clean = new WeakMap();

function prepare() {
  for (const button of document.querySelectorAll("[data-add], [data-remove]")) button.hidden = false;
  // A script adds rows when they are wanted; without one there are some to spare.
  for (const row of document.querySelectorAll("[data-custom]")) {
    const empty = !row.querySelector('[name="custom_name"]').value && !row.querySelector('[name="custom_value"]').value;
    if (empty && document.querySelectorAll("[data-custom]").length > 1) row.remove();
  }
  for (const form of document.querySelectorAll("form[data-guard]")) {
    // What comes back with errors, or to be merged, is not saved yet.
    const unsaved = form.dataset.guard === "always" || document.getElementById("errors") || document.querySelector(".error-box");
    clean.set(form, unsaved ? "" : serialised(form));
  }
}
prepare();
document.addEventListener("swapped", prepare);

let sending = false;
document.addEventListener("submit", (event) => {
  sending = event.target.matches("form[data-guard]") && !event.target.dataset.swap;
});
window.addEventListener("beforeunload", (event) => {
  if (sending) return;
  for (const form of document.querySelectorAll("form[data-guard]")) {
    if (clean.has(form) && clean.get(form) !== serialised(form)) event.preventDefault();
  }
});

function blank(row) {
  const fresh = row.cloneNode(true);
  for (const input of fresh.querySelectorAll("input")) input.value = "";
  fresh.querySelector("select").selectedIndex = 0;
  return fresh;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-add]")) {
    const rows = [...document.querySelectorAll("[data-custom]")];
    const fresh = blank(rows.at(-1));
    rows.at(-1).after(fresh);
    fresh.querySelector("input").focus();
  }
  const remove = event.target.closest("[data-remove]");
  if (remove) {
    const row = remove.closest("[data-custom]");
    const rows = [...document.querySelectorAll("[data-custom]")];
    const next = rows[rows.indexOf(row) + 1] ?? document.querySelector("[data-add]");
    if (rows.length > 1) row.remove();
    else row.replaceWith(blank(row));
    (next.querySelector?.("input") ?? next).focus();
  }
});

document.addEventListener("keydown", (event) => {
  const form = document.querySelector("form[data-guard]");
  if (form && event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector(".save .primary"));
  }
});
