// The list: selecting rows, moving among them by keys, and changing a cell where it stands.

const list = () => document.getElementById("list");
const rows = () => [...document.querySelectorAll("#list tbody tr")];
const boxes = () => [...document.querySelectorAll('#list input[name="row"]')];
const narrow = window.matchMedia("(max-width: 62rem)");
/** What someone opened or closed beside the list, on narrow screens and on wide ones. */
const sides = new Map();
let lastBox = null;

/** Says how many are selected, and shows what can be done with them. */
function count() {
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const chosen = boxes().filter((box) => box.checked).length;
  const everything = bulk.elements.everything.checked;
  bulk.classList.toggle("open", chosen > 0 || everything);
  bulk.querySelector(".selected").textContent = everything ? "All selected" : `${chosen} selected`;
  const all = document.querySelector("[data-all]");
  if (all) {
    all.hidden = false;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

function prepare() {
  for (const side of document.querySelectorAll("details[data-side]")) {
    const first = (side.dataset.side ||= String(side.open));
    side.open = sides.get(`${side.id} ${narrow.matches}`) ?? (!narrow.matches && first === "true");
  }
  for (const row of rows()) row.tabIndex = -1;
  const first = rows()[0];
  if (first) first.tabIndex = 0;
  count();
}
prepare();
document.addEventListener("swapped", prepare);
narrow.addEventListener("change", prepare);

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.closest("#list")) count();
});

document.addEventListener("click", (event) => {
  const side = event.target.closest("details[data-side] > summary")?.parentElement;
  if (side) sides.set(`${side.id} ${narrow.matches}`, !side.open);
});

// With Shift, everything between two boxes.
document.addEventListener("click", (event) => {
  const box = event.target.closest('#list input[name="row"]');
  if (!box) return;
  if (event.shiftKey && lastBox?.isConnected) {
    const all = boxes();
    const [from, to] = [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
  }
  lastBox = box;
  count();
});

function focusRow(row) {
  if (!row) return;
  for (const other of rows()) other.tabIndex = -1;
  for (const cell of document.querySelectorAll("#list td[tabindex]")) cell.removeAttribute("tabindex");
  row.tabIndex = 0;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

/** Puts the form for one cell into it. */
async function edit(cell) {
  if (!cell?.dataset.edit) return window.inventory.say("This cell can't be edited here.");
  const row = cell.closest("tr");
  const id = row.id.slice("row-".length);
  const address = `/admin/components/${id}/cell/${cell.dataset.edit}`;
  const response = await fetch(address, { credentials: "same-origin" }).catch(() => null);
  const page = response && new DOMParser().parseFromString(await response.text(), "text/html");
  const form = page?.getElementById("edit");
  if (!form) return window.inventory.warn(page?.querySelector("h1")?.textContent ?? "Can't reach the server. Try again in a moment.");
  show(cell, form);
}

function show(cell, form, keep = [...cell.childNodes]) {
  cell.replaceChildren(form);
  const input = form.elements.value;
  input.focus();
  input.select?.();
  const cancel = () => {
    cell.replaceChildren(...keep);
    if (cell.tabIndex === 0) focusCell(cell);
    else focusRow(cell.closest("tr"));
  };
  form.querySelector("[data-cancel]").addEventListener("click", (event) => {
    event.preventDefault();
    cancel();
  });
  form.addEventListener("keydown", (event) => {
    // What is typed here is no key of the list.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.key === "Escape") cancel();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(cell, form, keep);
  });
}

/** Saves a cell: the row as it now is takes its place, or the form says why not. */
async function save(cell, form, keep) {
  const row = cell.closest("tr");
  const body = new URLSearchParams(new FormData(form));
  let response;
  let page;
  try {
    response = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return window.inventory.warn("Can't reach the server. Your input is kept; try again in a moment.");
  }
  const again = page.getElementById("edit");
  if (again) return show(cell, again, keep);
  const fresh = page.getElementById(row.id);
  if (!response.ok || !fresh) {
    const title = page.querySelector("h1")?.textContent ?? "Something went wrong";
    return window.inventory.warn(`${title}. ${page.querySelector("h1 + p")?.textContent ?? ""}`);
  }
  const box = row.querySelector('input[name="row"]');
  if (box?.checked) fresh.querySelector('input[name="row"]').checked = true;
  row.replaceWith(fresh);
  document.getElementById("trouble")?.remove();
  document.dispatchEvent(new CustomEvent("swapped"));
  if (cell.tabIndex === 0) focusCell(fresh.cells[cell.cellIndex]);
  else focusRow(fresh);
  window.inventory.say("Saved.");
}

document.addEventListener("dblclick", (event) => {
  const cell = event.target.closest("#list td[data-edit]");
  if (!cell || cell.querySelector("form") || event.target.closest("a, input")) return;
  event.preventDefault();
  edit(cell);
});

/** Cells are reached from their row, and left to it. */
function focusCell(cell) {
  if (!cell) return;
  for (const other of document.querySelectorAll("#list td[tabindex]")) other.removeAttribute("tabindex");
  for (const other of rows()) other.tabIndex = other === cell.parentElement ? 0 : -1;
  cell.tabIndex = 0;
  cell.focus();
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** The cells of a row that hold something of the component. */
const cells = (row) => [...row.cells].filter((cell) => !cell.matches(".pick"));

const select = (row) => row.querySelector('input[name="row"]')?.click();
const open = (row) => row.querySelector("td.name a").click();
const toRow = (row) => row && focusRow(row);

/** To what can be done with the selected rows, which is below all of them; where none is selected, with this one. */
function act(row) {
  if (!document.querySelector('#list input[name="row"]:checked')) select(row);
  document.querySelector("#bulk select")?.focus();
}

const ROW_KEYS = {
  ArrowDown: (row) => toRow(row.nextElementSibling),
  ArrowUp: (row) => toRow(row.previousElementSibling),
  ArrowRight: (row) => focusCell(cells(row)[0]),
  j: (row) => toRow(row.nextElementSibling),
  k: (row) => toRow(row.previousElementSibling),
  Home: () => toRow(rows()[0]),
  End: () => toRow(rows().at(-1)),
  Enter: open,
  e: (row) => edit(row.querySelector("td.name[data-edit]") ?? row.querySelector("td[data-edit]")),
  x: select,
  a: act,
  // Out of the list, to where it is searched.
  Escape: () => document.getElementById("find")?.focus(),
};
ROW_KEYS.F2 = ROW_KEYS.e;

const CELL_KEYS = {
  ArrowDown: (row, cell) => focusCell(row.nextElementSibling?.cells[cell.cellIndex]),
  ArrowUp: (row, cell) => focusCell(row.previousElementSibling?.cells[cell.cellIndex]),
  ArrowRight: (row, cell) => focusCell(cell.nextElementSibling),
  ArrowLeft: (row, cell) => (cell === cells(row)[0] ? focusRow(row) : focusCell(cell.previousElementSibling)),
  Home: (row) => focusCell(cells(row)[0]),
  End: (row) => focusCell(cells(row).at(-1)),
  Enter: open,
  e: (row, cell) => edit(cell),
  x: select,
  a: act,
  Escape: focusRow,
};
CELL_KEYS.F2 = CELL_KEYS.e;

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
  const { target } = event;
  if (target.matches?.("#list tbody tr, #list tbody td")) {
    const key = (target.matches("td") ? CELL_KEYS : ROW_KEYS)[event.key];
    if (!key) return;
    event.preventDefault();
    key(target.closest("tr"), target);
  } else if (event.key === "ArrowDown" && target.id === "find" && list()) {
    // From the search box the list is one key away.
    event.preventDefault();
    toRow(rows()[0]);
  } else if (event.key === "Escape" && target.closest?.("#bulk")) {
    toRow(rows().find((row) => row.tabIndex === 0));
  }
});
