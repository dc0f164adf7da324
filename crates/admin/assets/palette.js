// The command palette: the page /admin/palette in a dialog over the page one is on, as a box to type in with a list
// below it. Ctrl-K or ⌘K opens it.

const PAUSE = 100;
const ADDRESS = "/admin/palette";
let parts = null;
let timer = 0;
let underWay = null;
/** What the options are for, and whether Enter waits for those of what was typed since. */
let shownFor = null;
let enter = false;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function build() {
  const label = "Find a component, page or action";
  const input = element("input", {
    type: "text", role: "combobox", "aria-label": label, placeholder: label, "aria-expanded": "false",
    "aria-controls": "palette-list", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", maxlength: "200", enterkeyhint: "go",
  });
  const close = element("button", { type: "button", class: "plain" }, "Close");
  const list = element("div", { id: "palette-list", role: "listbox", "aria-label": "Results" });
  const told = element("p", { class: "sr", role: "status" });
  const none = element("p", { class: "soft none", hidden: "" }, "No matches.");
  // The links and forms that the options stand for.
  const source = element("div", { hidden: "" });
  const dialog = element("dialog", { id: "palette", "aria-label": "Go to" }, element("div", { class: "line" }, input, close), list, none, told, source);
  document.body.append(dialog);
  input.addEventListener("input", () => {
    enter = false;
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", onKey);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) go(option);
    // The backdrop is the dialog itself, as clicks tell it.
    else if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    underWay?.abort();
    enter = false;
  });
  parts = { dialog, input, list, told, none, source };
}

const options = () => [...parts.list.querySelectorAll("[role=option]")];
const chosen = () => parts.list.querySelector("[aria-selected=true]");

function choose(option) {
  chosen()?.setAttribute("aria-selected", "false");
  if (!option) return parts.input.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  parts.input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

/** Shows what a page of the palette has found. */
function show(found, text) {
  parts.source.replaceChildren(found);
  parts.list.replaceChildren();
  let number = 0;
  for (const heading of found.querySelectorAll("h2")) {
    const id = `palette-group-${parts.list.children.length}`;
    const group = element("div", { role: "group", "aria-labelledby": id }, element("div", { class: "heading", id, role: "presentation" }, heading.textContent));
    for (const item of heading.nextElementSibling?.children ?? []) {
      const option = element("div", { role: "option", id: `palette-option-${number}`, "aria-selected": "false" });
      for (const words of item.querySelectorAll("span, small")) option.append(words.cloneNode(true), " ");
      option.stands = item.querySelector("a, form");
      group.append(option);
      number += 1;
    }
    parts.list.append(group);
  }
  shownFor = text;
  parts.input.setAttribute("aria-expanded", String(number > 0));
  parts.none.hidden = number > 0;
  parts.told.textContent = number ? `${number} ${number === 1 ? "result" : "results"}` : "No matches.";
  choose(options()[0]);
  if (enter) go(chosen());
}

/** Asks for what matches. Only the answer to what is in the box now is shown. */
async function ask() {
  clearTimeout(timer);
  underWay?.abort();
  const control = (underWay = new AbortController());
  const text = parts.input.value.trim();
  try {
    const response = await fetch(text ? `${ADDRESS}?q=${encodeURIComponent(text)}` : ADDRESS, { signal: control.signal, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (control.signal.aborted) return;
    const found = page.getElementById("found");
    // Signed out, or out of order: the page itself says so.
    if (!found) return location.assign(ADDRESS);
    show(document.adoptNode(found), text);
  } catch (error) {
    if (error.name === "AbortError") return;
    parts.none.hidden = false;
    parts.none.textContent = "Can't reach the server. Try again in a moment.";
    parts.told.textContent = parts.none.textContent;
  }
}

function go(option) {
  const stands = option?.stands;
  if (!stands) return;
  parts.dialog.close();
  if (stands.matches("a")) return location.assign(stands.href);
  if (stands.elements.next) stands.elements.next.value = location.pathname + location.search;
  stands.requestSubmit();
}

function onKey(event) {
  if (event.isComposing) return;
  const all = options();
  const place = all.indexOf(chosen());
  const moves = {
    ArrowDown: () => all[(place + 1) % all.length],
    ArrowUp: () => all[(place - 1 + all.length) % all.length],
    PageDown: () => all[Math.min(place + 8, all.length - 1)],
    PageUp: () => all[Math.max(place - 8, 0)],
  };
  if (moves[event.key]) {
    event.preventDefault();
    if (all.length) choose(moves[event.key]());
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (shownFor === parts.input.value.trim()) return go(chosen());
    enter = true;
    ask();
  }
}

function open() {
  if (!parts) build();
  if (parts.dialog.open) return parts.dialog.close();
  if (document.querySelector("dialog[open]")) return;
  parts.input.value = "";
  shownFor = null;
  parts.dialog.showModal();
  parts.input.focus();
  ask();
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.go");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
});
if (/Mac|iPhone|iPad/.test(navigator.platform)) for (const key of document.querySelectorAll("a.go kbd")) key.textContent = "⌘K";
