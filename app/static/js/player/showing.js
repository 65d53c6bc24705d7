// One film in the player, from what the page says of it to its end.
import { here } from "../address.js";
import { onDevice, positionOnDevice, startBeats, toServer } from "./beats.js";
import { drawConverted, followGrid, gridOf, keepToFilled } from "./converted.js";
import { startEnding } from "./ending.js";
import { startKeys } from "./keys.js";
import { buildPlayer } from "./kit.js";
import { followChoices, remembered } from "./memory.js";
import { startSession } from "./session.js";
import { openStream } from "./stream.js";

const LOST = "We lost the connection to the film.";
const BROKEN = "This browser could not play the film.";
const GONE = "This film is no longer here.";

export class Showing {
  #place;
  #film;
  #given;
  #parts = null;
  #stream = null;
  #grid = null;
  #over = new AbortController();

  /** `given` has the keys' `dialog`, the `icons`, and `turn(address)` to another film. */
  constructor(place, given) {
    this.#place = place;
    this.#film = { ...place.dataset };
    if (this.#film.shareKey) this.#film.position = positionOnDevice(this.#film.shareKey);
    this.#given = given;
  }

  async start() {
    const [film, place, { signal }] = [this.#film, this.#place, this.#over];
    const { dialog, icons, turn } = this.#given;
    if (film.status === "processing") this.#grid = await gridOf(film.grid).catch(() => null);
    const parts = buildPlayer(place, { ...film, poster: here(film.poster), icons });
    this.#parts = parts;
    place.querySelector("[data-wait]").remove();
    place.dataset.stalls = 0;
    const next = film.next ? () => turn(film.next) : null;
    startKeys(parts, dialog, { next, signal });
    startEnding(place, parts, { next, signal });
    startSession(parts.video, film, { next, signal });
    followChoices(place, parts.video, signal);
    const countStalls = () => Number(place.dataset.stalls);
    const keep = film.shareKey ? onDevice(film.shareKey) : toServer(film.progress, countStalls);
    startBeats(parts.video, keep, { gone: () => this.#fail(GONE), signal });
    this.#followVideo(parts.video);
    parts.retry.addEventListener("click", () => this.#again());
    this.#followConversion();
    this.#addTimeline("chapters", "Chapters", film.chapters);
    this.#addTimeline("metadata", "thumbnails", film.storyboard);
    this.#play(film.hls, Number(film.position));
  }

  /** Stop everything that outlives the player's elements. */
  end() {
    this.#over.abort();
    this.#stream?.end();
    this.#stream = null;
  }

  #state(name) {
    this.#place.dataset.state = name;
  }

  #fail(sentence) {
    if (this.#place.dataset.state === "error") return;
    this.#state("error");
    this.#parts.video.pause();
    this.#parts.sayText.textContent = sentence;
    this.#parts.say.hidden = false;
    this.#parts.retry.focus();
  }

  #heard = {
    quality: (lines) => {
      if (!lines) return;
      this.#place.dataset.quality = lines;
      this.#parts.quality.textContent = `${lines}p`;
    },
    levels: (hls) => {
      if (!this.#grid) return;
      keepToFilled(hls, this.#grid.rows, Number(this.#film.duration), Number(this.#film.position));
      hls.startLevel = hls.autoLevelCapping; // what is there, or is made first
    },
    lost: (status) => this.#fail(status === 404 || status === 410 ? GONE : LOST),
    broken: () => this.#fail(BROKEN),
  };

  #followVideo(video) {
    let begun = false;
    const on = (names, change) => {
      for (const name of names) video.addEventListener(name, change);
    };
    const unlessError = (name) => () => this.#place.dataset.state !== "error" && this.#state(name);
    on(["waiting", "seeking"], unlessError("loading"));
    on(["playing"], unlessError("playing"));
    on(["pause"], () => !video.ended && unlessError("paused")());
    on(["ended"], unlessError("ended"));
    on(["canplay", "seeked"], () => video.paused && !video.ended && unlessError("paused")());
    on(["seeking", "timeupdate"], () => this.#limitQuality());
    on(["playing"], () => {
      begun = true;
    });
    on(["seeking"], () => {
      begun = false; // to wait at a new place is no stall
    });
    on(["waiting"], () => {
      if (begun) this.#place.dataset.stalls = Number(this.#place.dataset.stalls) + 1;
    });
  }

  #limitQuality() {
    const { hls } = this.#stream ?? {};
    if (!this.#grid || !hls?.levels.length) return;
    keepToFilled(hls, this.#grid.rows, this.#length(), this.#parts.video.currentTime);
  }

  #freeQuality() {
    const { hls } = this.#stream ?? {};
    if (!hls) return;
    hls.autoLevelCapping = -1;
    hls.config.minAutoBitrate = 0;
  }

  #length() {
    return this.#parts.video.duration || Number(this.#film.duration);
  }

  #followConversion() {
    if (this.#film.status !== "processing") return;
    const { note, converted } = this.#parts;
    const changed = (latest) => {
      const busy = latest.status === "processing" && latest.rows?.length;
      this.#grid = busy ? latest : null;
      note.hidden = !busy;
      if (busy) {
        note.textContent = `Still converting, ${Math.floor(latest.progress * 100)} %. More quality comes as you watch.`;
        drawConverted(converted, latest.rows, this.#length());
        this.#limitQuality();
      } else {
        converted.setAttribute("hidden", "");
        this.#freeQuality();
      }
    };
    this.#over.signal.addEventListener("abort", followGrid(this.#film.grid, changed));
  }

  /** What the time line shows: chapters, and pictures of the film where one points. */
  #addTimeline(kind, label, address) {
    if (!address) return;
    const track = Object.assign(document.createElement("track"), { kind, label, default: true });
    track.src = here(address);
    this.#parts.video.append(track);
  }

  #play(address, position) {
    const { video, say } = this.#parts;
    this.#state("loading");
    say.hidden = true;
    this.#stream?.end();
    this.#stream = openStream(video, here(address), { position, wishes: remembered(), heard: this.#heard });
    video.play().catch(() => {
      // The browser wants a click first: the big button waits for it.
      if (this.#place.dataset.state === "loading" && video.readyState >= 2) this.#state("paused");
    });
  }

  /** Begin again where it stopped, with a fresh address: the old one may have run out. */
  async #again() {
    const position = this.#parts.video.currentTime || Number(this.#film.position);
    this.#state("loading");
    this.#parts.say.hidden = true;
    try {
      const answer = await fetch(this.#film.playback, { headers: { Accept: "application/json" } });
      if (answer.status === 404) return this.#fail(GONE);
      if (answer.status === 401) return window.location.reload();
      if (!answer.ok) return this.#fail(LOST);
      const playback = await answer.json();
      return this.#play(playback.hls_url, position);
    } catch {
      return this.#fail(LOST);
    }
  }
}
