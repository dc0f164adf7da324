// Follows links and sends forms that name a part of the page in data-swap, without loading the whole page: the
// answer is the same page as without this script, and the named parts are taken from it.

const status = () => document.getElementById("status");
const underWay = new Map();

/** Tells people who listen to the page what happened. */
function say(text) {
  if (status()) status().textContent = text;
}

/** Puts a message above the page, where what was typed stays as it is. */
function warn(text, link) {
  let box = document.getElementById("trouble");
  if (!box) {
    box = document.createElement("p");
    box.id = "trouble";
    box.className = "notice bad";
    box.setAttribute("role", "alert");
    document.getElementById("main").prepend(box);
  }
  box.textContent = text;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    anchor.target = "_blank";
    box.append(" ", anchor);
  }
  box.scrollIntoView({ block: "nearest" });
}

/** Where the focus is within a part, in words that find it again in the part that takes its place. */
function focusIn(part) {
  const active = document.activeElement;
  if (!active || !part.contains(active)) return null;
  const row = active.closest("tr[id]");
  const place = { id: active.id, row: row && row.id, name: active.getAttribute("name") };
  if (typeof active.selectionStart === "number") place.caret = [active.selectionStart, active.selectionEnd];
  return place;
}

function focusAgain(part, place) {
  if (!place) return;
  const byName = () => {
    const scope = (place.row && document.getElementById(place.row)) || part;
    return place.name && scope.querySelector(`[name="${CSS.escape(place.name)}"]`);
  };
  const found =
    (place.id && document.getElementById(place.id)) || byName() || (place.row && document.getElementById(place.row)) || part.querySelector("h1, h2");
  if (!found) return;
  if (!found.matches("a, button, input, select, textarea, summary, [tabindex]")) found.tabIndex = -1;
  found.focus({ preventScroll: true });
  if (place.caret && found.setSelectionRange && found.type !== "checkbox" && found.type !== "radio") {
    try {
      found.setSelectionRange(...place.caret);
    } catch {
      // Some kinds of input have no caret.
    }
  }
}

/** Takes the named parts from a page; where one is missing there, its whole content. */
function take(page, selectors, place) {
  const parts = selectors.map((selector) => [document.querySelector(selector), page.querySelector(selector)]);
  const whole = parts.some(([, found]) => !found);
  const pairs = whole ? [[document.getElementById("main"), page.getElementById("main")]] : parts;
  for (const [old, found] of pairs) {
    if (!old || !found) continue;
    const focus = place || focusIn(old);
    document.dispatchEvent(new CustomEvent("swapping", { detail: { old, found } }));
    old.replaceWith(found);
    const errors = found.querySelector("#errors");
    if (errors) errors.focus();
    else focusAgain(found, focus);
  }
  document.title = page.title;
  const keep = page.getElementById("keep");
  if (keep && document.getElementById("keep")) document.getElementById("keep").replaceWith(keep);
  if (whole) window.scrollTo(0, 0);
  const words = page.querySelector("[data-say]");
  say(words ? words.dataset.say : page.title);
  document.dispatchEvent(new CustomEvent("swapped"));
}

async function read(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/**
 * Asks for an address and takes the named parts of the answer. Only the newest answer for the same parts is
 * used, in whatever order they arrive.
 */
export async function load(url, { selectors, method = "GET", body, history: how = "push", place } = {}) {
  const key = selectors.join(" ");
  underWay.get(key)?.abort();
  const control = new AbortController();
  underWay.set(key, control);
  const busy = document.querySelector(selectors[0]);
  busy?.setAttribute("aria-busy", "true");
  try {
    const headers = body ? { "content-type": "application/x-www-form-urlencoded" } : {};
    const response = await fetch(url, { method, body, headers, signal: control.signal, credentials: "same-origin" });
    const page = await read(response);
    if (control.signal.aborted) return false;
    if (!page.getElementById("main")) throw new Error("no page");
    // A failure that knows nothing of what was typed must not take its place.
    if (method === "POST" && page.querySelector("#main .failure")) {
      const title = page.querySelector("h1")?.textContent ?? "Something went wrong";
      const detail = page.querySelector("h1 + p")?.textContent ?? "";
      const link = response.status === 401 ? { href: "/admin/sign-in", text: "Sign in in a new tab" } : null;
      warn(`${title}. ${detail} Your input is kept.`, link);
      return false;
    }
    document.getElementById("trouble")?.remove();
    if (how === "push" && response.ok && response.url !== location.href) {
      window.history.replaceState({ ...window.history.state, scroll: window.scrollY }, "");
      window.history.pushState({ swapped: true }, "", response.url);
    } else if (how === "replace" && response.ok) {
      window.history.replaceState(window.history.state, "", response.url);
    }
    take(page, selectors, place);
    return response.ok;
  } catch (error) {
    if (error.name === "AbortError") return false;
    if (method === "GET" && how === "push") location.assign(url);
    else warn("Can't reach the server. Your input is kept; try again in a moment.");
    return false;
  } finally {
    if (underWay.get(key) === control) underWay.delete(key);
    busy?.removeAttribute("aria-busy");
  }
}

const selectorsOf = (element) => element.dataset.swap.split(" ").filter(Boolean);

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || !document.querySelector(selectorsOf(link)[0])) return;
  event.preventDefault();
  load(link.href, { selectors: selectorsOf(link) });
});

function send(form, submitter, how) {
  const data = new URLSearchParams(new FormData(form, submitter));
  const method = (submitter?.getAttribute("formmethod") || form.method).toUpperCase();
  const action = submitter?.getAttribute("formaction") || form.getAttribute("action") || location.pathname;
  if (method !== "GET") return load(action, { selectors: selectorsOf(form), method, body: data.toString(), history: how });
  for (const [name, value] of [...data]) if (value === "") data.delete(name, "");
  const query = data.toString();
  return load(query ? `${action}?${query}` : action, { selectors: selectorsOf(form), history: how });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.swap || event.defaultPrevented || !document.querySelector(selectorsOf(form)[0])) return;
  event.preventDefault();
  clearTimeout(form.timer);
  send(form, event.submitter, "push");
});

// A form that is marked data-live is sent while it is filled in, once typing pauses.
const PAUSE = 160;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset || !("live" in form.dataset) || !document.querySelector(selectorsOf(form)[0])) return;
  clearTimeout(form.timer);
  form.timer = setTimeout(() => send(form, null, "replace"), PAUSE);
});

window.addEventListener("popstate", async () => {
  const scroll = window.history.state?.scroll ?? 0;
  await load(location.href, { selectors: ["#main"], history: "none" });
  const search = new URLSearchParams(location.search).get("q") ?? "";
  const box = document.getElementById("find");
  if (box && document.activeElement !== box) box.value = search;
  window.scrollTo(0, scroll);
});

window.inventory = Object.freeze({ load, say, warn, focusIn, focusAgain });
