// The upload page: films are dropped or chosen, named, and sent one after another; then their
// conversion is shown until they can be watched.
import { drawGrid } from "./grid.js";
import { followVideo, showPicture } from "./live.js";
import { filmPicture, UploadStopped, sendFilm } from "./sending.js";
import { left, percent, size, speed, titleOf } from "./words.js";

const page = document.querySelector("[data-uploads]");
const find = (name, root = page) => root.querySelector(`[data-${name}]`);
const picker = page.querySelector("input[type=file]");
const drop = find("drop");
const list = find("queue-list");
const start = find("start");
const template = document.querySelector("template[data-item]");
const most = Number(page.dataset.maxBytes) || Infinity;

/** @type {Item[]} */
const items = [];
let counter = 0;

/** One film of the list. Its state: waiting → queued → uploading → converting → ready, or failed. */
class Item {
  constructor(file) {
    this.file = file;
    this.number = counter += 1;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.state = "waiting";
    for (const label of this.element.querySelectorAll("[data-for]")) {
      const input = this.input(label.dataset.for);
      input.id = `item-${this.number}-${label.dataset.for}`;
      label.htmlFor = input.id;
    }
    this.input("title").value = titleOf(file.name);
    this.part("remove").setAttribute("aria-label", `Remove ${file.name}`);
    this.part("remove").addEventListener("click", () => this.remove());
    this.part("cancel").addEventListener("click", () => this.stop());
    this.part("again").addEventListener("click", () => this.again());
    this.say(size(file.size));
    if (file.size === 0) this.fail("This file is empty. Is it complete?", { final: true });
    else if (file.size > most) {
      this.fail(`This film is ${size(file.size)}; the most we can take is ${size(most)}.`, { final: true });
    } else this.drawPicture();
  }

  part(name) {
    return find(name, this.element);
  }

  input(name) {
    return this.element.querySelector(`[data-name="${name}"]`);
  }

  get title() {
    return this.input("title").value.trim() || titleOf(this.file.name);
  }

  say(text) {
    this.part("text").textContent = text;
  }

  show(state) {
    this.state = state;
    this.element.dataset.state = state;
    const typing = state === "waiting" || state === "queued" || (state === "failed" && !this.final);
    this.part("fields").hidden = !typing;
    this.part("title").hidden = typing;
    this.part("title").textContent = this.title;
    this.part("bars").hidden = state !== "uploading" && state !== "converting";
    this.part("cancel").hidden = state !== "uploading" && state !== "queued";
    this.part("cancel").setAttribute("aria-label", `Cancel ${this.title}`);
    this.part("remove").hidden = !(state === "waiting" || state === "failed");
    this.part("again").hidden = state !== "failed" || this.final;
    showQueue();
  }

  async drawPicture() {
    const picture = await filmPicture(this.file);
    if (picture && !this.part("picture").querySelector("img")) this.part("picture").append(picture);
  }

  fail(sentence, { errors = {}, final = false } = {}) {
    this.final = final;
    this.part("trouble").hidden = false;
    this.part("trouble-text").textContent = sentence;
    for (const place of this.element.querySelectorAll("[data-error]")) {
      const texts = errors[place.dataset.error] ?? [];
      place.textContent = texts.join(" ");
      place.hidden = !texts.length;
      const input = this.input(place.dataset.error);
      input.toggleAttribute("aria-invalid", texts.length > 0);
      if (texts.length) {
        input.setAttribute("aria-invalid", "true");
        input.closest("details")?.setAttribute("open", "");
      }
    }
    this.say(size(this.file.size));
    this.show("failed");
    announce(`${this.title}: ${sentence}`);
  }

  queue() {
    this.part("trouble").hidden = true;
    for (const place of this.element.querySelectorAll("[data-error]")) place.hidden = true;
    this.say("Next in line");
    this.show("queued");
  }

  again() {
    // What became of the first try is of no use to anybody.
    if (this.failed) fetch(`/api/local-videos/${this.failed}/`, { method: "DELETE" }).catch(() => {});
    this.failed = null;
    this.queue();
    run();
  }

  stop() {
    if (this.sending) this.sending.abort();
    else {
      this.say(size(this.file.size));
      this.show("waiting");
    }
  }

  remove() {
    const next = this.element.nextElementSibling ?? this.element.previousElementSibling;
    items.splice(items.indexOf(this), 1);
    this.element.remove();
    showQueue();
    (next ? next.querySelector("[data-remove]:not([hidden]), a, button:not([hidden])") : picker)?.focus();
  }

  async send() {
    this.sending = new AbortController();
    this.part("upload-bar").value = 0;
    this.say("Starting");
    this.show("uploading");
    try {
      const fields = {
        title: this.title,
        description: this.input("description").value,
        category: this.input("category").value.trim(),
      };
      const video = await sendFilm(this.file, fields, {
        signal: this.sending.signal,
        progress: (sent) => this.showSending(sent),
      });
      this.part("upload-bar").value = 1;
      this.follow(video);
    } catch (error) {
      if (!(error instanceof UploadStopped)) throw error;
      if (error.cancelled) {
        this.say(`${size(this.file.size)} · cancelled, nothing was kept`);
        this.show("waiting");
      } else this.fail(error.message, error);
    } finally {
      this.sending = null;
    }
  }

  showSending({ share, rate, rest }) {
    this.part("upload-bar").value = share;
    this.say(
      share >= 1
        ? "Uploaded. Having a look at the film"
        : [`Uploading ${percent(share)}`, rate ? speed(rate) : "", left(rest)].filter(Boolean).join(" · "),
    );
  }

  follow(video) {
    const look = (latest, grid) => {
      const busy = latest.status === "processing";
      this.part("convert-bar").value = latest.progress;
      const watch = this.part("watch");
      const turned = watch.hidden && latest.playable;
      watch.hidden = !latest.playable;
      watch.href = `/watch/${latest.id}`;
      watch.setAttribute("aria-label", `Watch ${latest.title}`);
      if (latest.thumbnail_url) {
        const own = this.part("picture").querySelector("[data-own]");
        own?.remove();
        showPicture(this.part("picture"), latest.thumbnail_url);
      }
      const figure = this.part("grid");
      if (grid?.rows?.length) drawGrid(figure, grid);
      figure.hidden = !busy || !figure.querySelector(".grid-row");
      if (busy) {
        this.say(
          [`Converting ${percent(latest.progress)}`, latest.eta == null ? "" : left(latest.eta), latest.playable ? "you can watch already" : ""]
            .filter(Boolean)
            .join(" · "),
        );
        if (this.state !== "converting") this.show("converting");
        if (turned) announce(`${latest.title} can be watched.`);
      } else if (latest.status === "ready") {
        this.say("Ready");
        this.show("ready");
        announce(`${latest.title} is ready.`);
      } else {
        const error = latest.error;
        this.failed = latest.id;
        this.fail(error ? `${error.message} ${error.hint ?? ""}`.trim() : "The conversion was cancelled.");
      }
    };
    look(video, video.grid ?? null);
    if (video.status === "processing") followVideo(video.id, look, { grid: true });
  }
}

function announce(text) {
  find("status").textContent = text;
}

function showQueue() {
  const count = (...states) => items.filter((item) => states.includes(item.state)).length;
  const waiting = count("waiting");
  const moving = count("queued", "uploading");
  page.classList.toggle("has-films", items.length > 0);
  find("queue").hidden = items.length === 0;
  start.hidden = waiting === 0;
  start.textContent = waiting === 1 ? "Upload film" : `Upload ${waiting} films`;
  find("queue-title").textContent = moving
    ? `Uploading ${moving === 1 ? "one film" : `${moving} films`}`
    : waiting
      ? "Ready to upload"
      : count("converting", "ready")
        ? "Uploaded"
        : "Not uploaded";
}

function add(files) {
  const fresh = [...files].map((file) => new Item(file));
  items.push(...fresh);
  list.append(...fresh.map((item) => item.element));
  showQueue();
  if (fresh.length) announce(`${fresh.length === 1 ? fresh[0].file.name : `${fresh.length} films`} added.`);
}

let running = false;

/** Send what is queued, one film after another. */
async function run() {
  if (running) return;
  running = true;
  try {
    for (;;) {
      const next = items.find((item) => item.state === "queued");
      if (!next) break;
      await next.send();
    }
  } finally {
    running = false;
    showQueue();
  }
}

picker.multiple = true;
picker.required = false;
picker.addEventListener("change", () => {
  add(picker.files);
  picker.value = "";
});
find("plain").addEventListener("submit", (event) => event.preventDefault());
start.addEventListener("click", () => {
  for (const item of items) if (item.state === "waiting") item.queue();
  run();
});

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  drop.classList.add("is-over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("is-over");
});
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  drop.classList.remove("is-over");
  add(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => {
  if (items.some((item) => item.state === "uploading" || item.state === "queued")) event.preventDefault();
});
if (picker.files.length) add(picker.files); // chosen before this script ran
