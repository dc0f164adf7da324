// Imports: a file that is too long is not sent at all, and the page of one that is carried out follows it.

const upload = document.querySelector("form.upload");
const file = upload?.querySelector('input[type="file"]');

/** Says at once what the service would say after all of it was sent. */
function check() {
  const chosen = file.files[0];
  const tooLong = Boolean(chosen) && chosen.size > Number(upload.dataset.max);
  document.getElementById("too-long").hidden = !tooLong;
  if (tooLong) document.getElementById("errors")?.remove();
  return !tooLong;
}
file?.addEventListener("change", check);
upload?.addEventListener("submit", (event) => {
  if (!check()) event.preventDefault();
});

// How often it is asked how far it is, in milliseconds.
const PERIOD = 400;
const numbers = new Intl.NumberFormat("en");

async function follow() {
  const page = document.querySelector("[data-progress]");
  if (!page) return;
  try {
    const answer = await fetch(page.dataset.progress, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const { running, done, total } = await answer.json();
    const bar = page.querySelector("progress");
    if (bar && done !== null) {
      bar.value = done;
      page.querySelector("[data-told]").textContent =
        done < total ? `${numbers.format(done)} of ${numbers.format(total)} ${total === 1 ? "change" : "changes"}` : "Finishing…";
    }
    if (!running) {
      await window.inventory.load(location.href, { selectors: ["#main"], history: "none" });
      return;
    }
  } catch {
    // The service may be away for a moment.
  }
  setTimeout(follow, PERIOD);
}
follow();
