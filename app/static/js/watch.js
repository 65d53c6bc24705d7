// The watch page: builds the player, opens the stream, and says what happens. Tests and styles read
// data-state (loading, playing, paused, ended, error) and data-quality (height now playing) from it.
import { here } from "./address.js";
import { drawConverted, followGrid, gridOf, keepToFilled } from "./player/converted.js";
import { startKeys } from "./player/keys.js";
import { buildPlayer, loadKit } from "./player/kit.js";
import { loadStream, openStream } from "./player/stream.js";

const place = document.querySelector("[data-player]");
const film = { ...place.dataset };
delete place.dataset.styleNonce;

const LOST = "We lost the connection to the film.";
const BROKEN = "This browser could not play the film.";
const GONE = "This film is no longer here.";

let parts = null;
let stream = null;
let grid = null;

function state(name) {
  place.dataset.state = name;
}

function fail(sentence) {
  state("error");
  parts.sayText.textContent = sentence;
  parts.say.hidden = false;
  parts.retry.focus();
}

const heard = {
  quality(height) {
    if (!height) return;
    place.dataset.quality = height;
    parts.quality.textContent = `${height}p`;
  },
  levels(hls) {
    if (!grid) return;
    keepToFilled(hls, grid.rows, Number(film.duration), Number(film.position));
    hls.startLevel = hls.autoLevelCapping; // what is there, or is made first
  },
  lost(status) {
    fail(status === 404 || status === 410 ? GONE : LOST);
  },
  broken() {
    fail(BROKEN);
  },
};

function followVideo(video) {
  const on = (names, change) => {
    for (const name of names) video.addEventListener(name, change);
  };
  const unlessError = (name) => () => place.dataset.state !== "error" && state(name);
  on(["waiting", "seeking"], unlessError("loading"));
  on(["playing"], unlessError("playing"));
  on(["pause"], () => !video.ended && unlessError("paused")());
  on(["ended"], unlessError("ended"));
  on(["canplay", "seeked"], () => video.paused && !video.ended && unlessError("paused")());
  on(["seeking", "timeupdate"], limitQuality);
}

function limitQuality() {
  if (!grid || !stream?.hls?.levels.length) return;
  keepToFilled(stream.hls, grid.rows, parts.video.duration || Number(film.duration), parts.video.currentTime);
}

function freeQuality() {
  if (!stream?.hls) return;
  stream.hls.autoLevelCapping = -1;
  stream.hls.config.minAutoBitrate = 0;
}

function followConversion() {
  if (film.status !== "processing") return;
  followGrid(film.videoId, (latest) => {
    const busy = latest.status === "processing" && latest.rows?.length;
    grid = busy ? latest : null;
    parts.note.hidden = !busy;
    if (busy) {
      parts.note.textContent = `Still converting, ${Math.floor(latest.progress * 100)} %. More quality comes as you watch.`;
      drawConverted(parts.converted, latest.rows, parts.video.duration || Number(film.duration));
      limitQuality();
    } else {
      parts.converted.setAttribute("hidden", "");
      freeQuality();
    }
  });
}

/** What the time line shows: chapters, and pictures of the film where one points. */
function addTimeline(kind, label, address) {
  if (!address) return;
  const track = Object.assign(document.createElement("track"), { kind, label, default: true });
  track.src = here(address);
  parts.video.append(track);
}

function play(address, position) {
  state("loading");
  parts.say.hidden = true;
  stream?.end();
  stream = null;
  stream = openStream(parts.video, here(address), { position, heard });
  parts.video.play().catch(() => {
    // The browser wants a click first: the big button waits for it.
    if (place.dataset.state === "loading" && parts.video.readyState >= 2) state("paused");
  });
}

/** Begin again where it stopped, with a fresh address: the old one may have run out. */
async function again() {
  const position = parts.video.currentTime || Number(film.position);
  state("loading");
  parts.say.hidden = true;
  try {
    const answer = await fetch(`/api/videos/${film.videoId}/playback/`, { headers: { Accept: "application/json" } });
    if (answer.status === 404) return fail(GONE);
    if (answer.status === 401) return window.location.reload();
    if (!answer.ok) return fail(LOST);
    const playback = await answer.json();
    return play(playback.hls_url, position);
  } catch {
    return fail(LOST);
  }
}

async function start() {
  const loaded = [loadKit(film.styleNonce), loadStream()];
  if (film.status === "processing") grid = await gridOf(film.videoId).catch(() => null);
  await Promise.all(loaded);
  parts = buildPlayer(place, {
    title: film.title,
    poster: here(film.poster),
    back: film.back,
    icons: document.querySelector("template[data-icons]").content,
  });
  place.querySelector("[data-wait]").remove();
  startKeys(parts, document.querySelector("[data-keys]"));
  followVideo(parts.video);
  parts.retry.addEventListener("click", again);
  followConversion();
  addTimeline("chapters", "Chapters", film.chapters);
  addTimeline("metadata", "thumbnails", film.storyboard);
  play(film.hls, Number(film.position));
}

start().catch(() => {
  // A part of the player did not load.
  if (parts) return fail("The player could not be loaded.");
  state("error");
  const say = document.createElement("div");
  say.className = "player-say";
  say.setAttribute("role", "alert");
  const text = document.createElement("p");
  text.textContent = "The player could not be loaded.";
  const retry = Object.assign(document.createElement("button"), { className: "button button-accent", type: "button", textContent: "Try again" });
  retry.addEventListener("click", () => window.location.reload());
  say.append(text, retry);
  place.append(say);
});
