// What one keeps of films: on one's list or not, and what to go on with. The buttons are forms that
// work without this; here the API is asked, and the page stays where it is.

const FAILED = "That did not work. Please try again.";

/** Listen to the buttons of all cards, those that come later too. */
export function startRemembering() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-keep], [data-leave]");
    if (!button) return;
    event.preventDefault();
    if (button.dataset.busy) return;
    button.dataset.busy = "yes";
    const act = button.dataset.keep ? toggle : remove;
    act(button).finally(() => delete button.dataset.busy);
  });
}

async function toggle(button) {
  const id = button.dataset.keep;
  const kept = button.getAttribute("aria-pressed") !== "true";
  show(id, kept);
  if (!(await ask(kept ? "PUT" : "DELETE", `/api/my-list/${id}/`))) {
    show(id, !kept);
    say(FAILED);
  }
}

// A film may stand in several rows.
function show(id, kept) {
  for (const button of document.querySelectorAll(`[data-keep="${id}"]`)) {
    button.setAttribute("aria-pressed", String(kept));
    button.value = kept ? "no" : "yes";
  }
}

async function remove(button) {
  const id = button.dataset.leave;
  if (!(await ask("DELETE", `/api/continue-watching/${id}/`))) return say(FAILED);
  const card = button.closest(".card");
  const place = card.parentElement;
  const title = card.querySelector(".card-title").textContent;
  const gone = document.createElement("div");
  gone.className = "card-gone";
  const words = document.createElement("p");
  words.setAttribute("role", "status");
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "button button-quiet button-small";
  undo.textContent = "Undo";
  undo.setAttribute("aria-label", `Undo: go on with ${title}`);
  undo.addEventListener("click", async () => {
    const body = JSON.stringify({ position: Number(card.dataset.position) });
    if (!(await ask("PUT", `/api/videos/${id}/progress/`, body))) return say(FAILED);
    gone.remove();
    card.hidden = false;
    place.classList.remove("is-gone");
    card.querySelector(".card-link").focus();
  });
  gone.append(words, undo);
  card.hidden = true;
  place.classList.add("is-gone");
  place.append(gone);
  words.textContent = "Removed.";
  undo.focus({ preventScroll: true });
}

async function ask(method, address, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  try {
    return (await fetch(address, { method, headers, body })).ok;
  } catch {
    return false;
  }
}

function say(text) {
  const note = document.createElement("p");
  note.className = "flash flash-now";
  note.textContent = text;
  document.querySelector("[data-flashes]")?.append(note);
  window.setTimeout(() => note.remove(), 6000);
}
