// The watch page: loads the player, shows the film, and turns to the next one without leaving full
// screen. Tests and styles read data-state (loading, playing, paused, ended, error), data-quality
// (lines of the picture now playing) and data-stalls from the player.
import { loadKit } from "./player/kit.js";
import { Showing } from "./player/showing.js";
import { loadStream } from "./player/stream.js";

const place = document.querySelector("[data-player]");
const nonce = place.dataset.styleNonce;
delete place.dataset.styleNonce;

let showing = null;

function show() {
  const dialog = document.querySelector("[data-keys]");
  const icons = document.querySelector("template[data-icons]").content;
  showing = new Showing(place, { dialog, icons, turn });
  return showing.start();
}

/** Go on with the film of another watch page, in the same player; where that fails, as a new page. */
async function turn(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("[data-player]");
    for (const unscripted of next.querySelectorAll("noscript")) unscripted.remove();
    showing.end();
    for (const name of Object.keys(place.dataset)) delete place.dataset[name];
    Object.assign(place.dataset, next.dataset);
    delete place.dataset.styleNonce; // what is loaded keeps the nonce of the first page
    place.replaceChildren(...next.childNodes);
    document.title = page.title;
    document.querySelector("[data-page-title]").textContent = page.querySelector("[data-page-title]").textContent;
    window.history.replaceState(null, "", address); // "back" leads to where the evening began
    await show();
    place.querySelector("media-controller").focus({ preventScroll: true });
  } catch {
    window.location.assign(address);
  }
}

function sayNotLoaded() {
  place.dataset.state = "error";
  const say = document.createElement("div");
  say.className = "player-say";
  say.setAttribute("role", "alert");
  const text = document.createElement("p");
  text.textContent = "The player could not be loaded.";
  const retry = Object.assign(document.createElement("button"), { className: "button button-accent", type: "button", textContent: "Try again" });
  retry.addEventListener("click", () => window.location.reload());
  say.append(text, retry);
  place.append(say);
}

Promise.all([loadKit(nonce), loadStream()])
  .then(show)
  .catch(sayNotLoaded);
