// Films that are being converted, kept up to date: state in words, bar, picture, Watch button, grid.
import { here } from "./address.js";
import { drawGrid } from "./grid.js";
import { foreseen, percent } from "./words.js";

const EVERY_MS = 2000;
const SLOWEST_MS = 15000;

async function read(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status}`), { status: answer.status });
  return answer.json();
}

/**
 * Follow one film until it is ready, failed or gone. `changed(video, grid)` is called after each
 * look; `grid` is null unless asked for. Returns a function that ends it.
 *
 * It looks every two seconds while something changes, more and more seldom while nothing does or
 * while the server does not answer, and not at all while nobody sees the page.
 */
export function followVideo(id, changed, { grid = false } = {}) {
  let wait = EVERY_MS;
  let seen = "";
  let timer = 0;
  let over = false;

  const look = async () => {
    timer = 0;
    if (over || document.hidden) return;
    try {
      const [video, picture] = await Promise.all([
        read(`/api/videos/${id}/`),
        grid ? read(`/api/videos/${id}/grid/`).catch(() => null) : null,
      ]);
      if (over) return;
      const print = `${video.status} ${video.progress} ${video.playable} ${video.thumbnail_url} ${video.queue?.place}`;
      wait = print === seen ? Math.min(wait * 1.5, SLOWEST_MS) : EVERY_MS;
      seen = print;
      changed(video, picture);
      if (video.status !== "processing") return end();
    } catch (error) {
      if (error.status === 404 || error.status === 401) return end();
      wait = Math.min(wait * 2, SLOWEST_MS);
    }
    if (!over) timer = window.setTimeout(look, wait);
  };
  const onVisible = () => {
    if (document.hidden || over) return;
    window.clearTimeout(timer);
    wait = EVERY_MS;
    look();
  };
  const end = () => {
    over = true;
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
  document.addEventListener("visibilitychange", onVisible);
  look();
  return end;
}

/** Put the film's picture into its place once there is one. */
export function showPicture(place, address) {
  if (!place || !address || place.querySelector("img")) return;
  const image = new Image(640, 360);
  image.alt = "";
  image.src = here(address);
  place.append(image);
}

const STATES = { failed: "failed", cancelled: "cancelled" };

/** Write what is known of a film into a card, a line or the film page. */
export function showVideo(element, video, grid) {
  const find = (name) => element.querySelector(`[${name}]`);
  const busy = video.status === "processing";
  element.dataset.status = video.status;
  element.dataset.playable = video.playable ? "yes" : "no";

  const badge = find("data-badge");
  if (badge) {
    badge.className = `badge badge-${video.status}`;
    const work = video.queue && !video.progress ? "waiting" : `converting ${percent(video.progress)}`;
    badge.textContent = busy ? work : (STATES[video.status] ?? "");
    badge.hidden = video.status === "ready";
  }
  const bar = find("data-bar");
  if (bar) {
    bar.value = video.progress;
    bar.hidden = !busy;
  }
  const rest = find("data-left");
  if (rest) {
    rest.textContent = busy ? foreseen(video) : "";
    rest.hidden = !rest.textContent;
  }
  showPicture(find("data-picture"), video.thumbnail_url);
  const watch = find("data-watch");
  if (watch) watch.hidden = !video.playable;
  const stop = find("data-stop");
  if (stop) stop.hidden = !busy;
  const trouble = find("data-trouble");
  if (trouble) {
    trouble.hidden = !video.error;
    trouble.querySelector("[data-trouble-text]").textContent = video.error
      ? `${video.error.message} ${video.error.hint ?? ""}`.trim()
      : "";
  }
  const figure = find("data-grid");
  if (figure && grid) drawGrid(figure, grid);
  if (figure) figure.hidden = !busy || !figure.querySelector(".grid-row");
  const converting = find("data-converting");
  if (converting && !busy) converting.hidden = true;
}

function followAll(place) {
  for (const element of place.querySelectorAll('[data-video-id][data-status="processing"]')) {
    followVideo(element.dataset.videoId, (video, grid) => showVideo(element, video, grid), {
      grid: Boolean(element.querySelector("[data-grid]")),
    });
  }
}

followAll(document);
document.addEventListener("films-came", (event) => followAll(event.target));
