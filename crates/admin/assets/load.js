// Parts of a page that take longer than the page: an element with data-load is filled with its part of the page at
// that address, once it is in sight. What stood there before stays until then.

const { focusIn, focusAgain } = window.inventory;
const underWay = new Map();
const parts = (within) => [...within.querySelectorAll("[data-load][id]")];
const isOpen = (part) => !part.closest("details:not([open])");

/** What was opened, and what is being typed, stays as it is. */
function replace(here, found) {
  const place = focusIn(here);
  const active = place && document.activeElement;
  const opened = new Map([...here.querySelectorAll("details[id]")].map((details) => [details.id, details.open]));
  here.replaceChildren(...found.childNodes);
  for (const details of here.querySelectorAll("details[id]")) details.open = opened.get(details.id) ?? details.open;
  if (!place) return;
  focusAgain(here, place);
  const again = document.activeElement;
  if (again !== active && again.id === active.id && place.caret) again.value = active.value;
}

async function fill(part) {
  const { id } = part;
  const address = part.dataset.load;
  if (part.dataset.loaded === address || underWay.get(id)?.address === address) return;
  underWay.get(id)?.control.abort();
  const control = new AbortController();
  underWay.set(id, { address, control });
  part.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address, { signal: control.signal, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.getElementById(id);
    // The list may have moved on while this was read.
    const here = document.getElementById(id);
    if (control.signal.aborted || !response.ok || !found || here?.dataset.load !== address) return;
    replace(here, found);
    here.dataset.loaded = address;
  } catch (error) {
    // The link to the page is still there, or what was there before.
    if (error.name !== "AbortError") document.getElementById(id)?.removeAttribute("data-loaded");
  } finally {
    if (underWay.get(id)?.control === control) {
      underWay.delete(id);
      document.getElementById(id)?.removeAttribute("aria-busy");
    }
  }
}

function fillAll() {
  for (const part of parts(document)) if (isOpen(part)) fill(part);
}

// Before a part of the page takes the place of another, what was loaded moves over.
document.addEventListener("swapping", (event) => {
  const { old, found } = event.detail;
  for (const part of parts(found)) {
    const before = old.querySelector(`#${CSS.escape(part.id)}[data-loaded]`);
    if (!before) continue;
    part.dataset.loaded = before.dataset.loaded;
    part.replaceChildren(...before.childNodes);
  }
});
document.addEventListener("swapped", fillAll);
// It does not bubble.
document.addEventListener("toggle", (event) => parts(event.target).filter(isOpen).forEach(fill), true);
fillAll();
