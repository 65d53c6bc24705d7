// Films as one types. The page works without this: its form asks for the same films.
import { followVideo, showVideo } from "./live.js";

const PAUSE_MS = 160;

const form = document.querySelector("[data-search]");
const field = form.querySelector("[data-search-field]");
const clear = form.querySelector("[data-search-clear]");
const said = document.querySelector("[data-search-said]");
const results = document.querySelector("[data-search-results]");

let shown = field.defaultValue.trim(); // what the server found; one may have typed since
let timer = 0;
let asking = null;
let ends = [];

function address(q) {
  return q ? `${form.action}?${new URLSearchParams({ q })}` : form.action;
}

function later(wait) {
  clear.hidden = !field.value;
  window.clearTimeout(timer);
  timer = window.setTimeout(look, wait);
}

/** Ask for the films of what stands in the field now; an older answer that is still out is dropped. */
async function look() {
  const q = field.value.trim();
  asking?.abort();
  asking = null;
  if (q === shown) return;
  const mine = (asking = new AbortController());
  try {
    const query = new URLSearchParams({ q, part: "results" });
    const answer = await fetch(`${form.action}?${query}`, { signal: mine.signal });
    if (answer.redirected || answer.status === 401) return location.assign(address(q)); // signed out
    if (!answer.ok) throw new Error(`${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asking) return;
    show(q, page.querySelector("[data-found]"));
  } catch (error) {
    if (error.name === "AbortError" || mine !== asking) return;
    shown = null; // so that Enter asks again
    said.textContent = "We could not search just now. Press Enter to try again.";
  }
}

function show(q, found) {
  for (const end of ends) end();
  shown = q;
  results.replaceChildren(document.adoptNode(found));
  said.textContent = found.dataset.said;
  document.title = `${q ? `“${q}”` : "Search"} · Videoflix`;
  history.replaceState(null, "", address(q));
  ends = [...results.querySelectorAll('[data-status="processing"]')].map((card) =>
    followVideo(card.dataset.videoId, (video) => showVideo(card, video, null)),
  );
}

function empty() {
  field.value = "";
  field.focus();
  later(0);
}

field.addEventListener("input", () => later(PAUSE_MS));
field.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !field.value) return;
  event.preventDefault();
  empty();
});
clear.addEventListener("click", empty);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  later(0);
});
later(0);
