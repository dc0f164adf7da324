// What others change while a page is open. Only the page that is looked at listens: a browser has few connections
// to one host.

let source = null;
/** The position of the last event that was seen: EPOCH-SEQ-XXXXXXXX. */
let seen = "";
let created = 0;
const changed = new Map();

const place = () => document.querySelector("[data-since]");

/** Whether a position is later in the log than another, or of another log. */
function isNewer(position, other) {
  const [epoch, seq] = position.split("-");
  const [otherEpoch, otherSeq] = other.split("-");
  return epoch !== otherEpoch || Number(seq) > Number(otherSeq);
}

function connect() {
  if (source || document.hidden || !place()) return;
  source = new EventSource(`/admin/live?since=${seen}`);
  source.onmessage = (message) => {
    seen = message.lastEventId || seen;
    hear(JSON.parse(message.data));
  };
  source.addEventListener("reset", (message) => {
    seen = message.lastEventId;
    announce("A lot has changed since this page was loaded.", "Reload");
  });
  source.onerror = () => {
    // Ended by the service: the browser would ask for the place where it began.
    disconnect();
    setTimeout(connect, 3000);
  };
}

function disconnect() {
  source?.close();
  source = null;
}

function begin() {
  seen = place()?.dataset.since ?? "";
  created = 0;
  changed.clear();
  disconnect();
  connect();
}

/** The list and the page of a component each have a line for news. */
function announce(text, action) {
  const news = document.getElementById("news");
  if (!news) return;
  news.setAttribute("role", "status");
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = action;
  if (document.getElementById("list")) link.dataset.swap = "#list";
  news.replaceChildren(`${text} `, link);
  news.hidden = false;
}

const some = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

function hear(news) {
  const page = document.querySelector("[data-component]");
  if (page) {
    if (page.dataset.component !== news.id || news.version < Number(page.dataset.version)) return;
    if (news.what === "deleted") announce(`This component was just deleted by ${news.who}.`, "Refresh");
    else if (news.version > Number(page.dataset.version)) {
      announce(`This component was just changed by ${news.who}. If you save, you will see both versions side by side.`, "Show their version");
    }
    return;
  }
  if (!document.getElementById("list")) return;
  const row = document.getElementById(`row-${news.id}`);
  if (news.what === "created") created += 1;
  else if (row && (news.what === "deleted" || news.version > Number(row.dataset.version))) {
    changed.set(news.id, news.what);
    mark(row, news);
  } else return;
  const words = [];
  if (created) words.push(`${some(created, "new component")}`);
  if (changed.size) words.push(`${some(changed.size, "row")} changed by others`);
  announce(`${words.join(", ")}.`, "Show");
}

function mark(row, news) {
  row.classList.toggle("changed", news.what === "changed");
  row.classList.toggle("gone", news.what === "deleted");
  row.querySelector(".mark")?.remove();
  const words = document.createElement("span");
  words.className = "mark";
  words.textContent = ` ${news.what} by ${news.who}`;
  row.querySelector("td.name").append(words);
}

begin();
document.addEventListener("swapped", () => {
  const now = place()?.dataset.since ?? "";
  if (now && isNewer(now, seen)) begin();
  else connect();
});
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
window.addEventListener("pagehide", disconnect);
