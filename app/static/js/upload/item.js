// One film of the upload page, from the chosen file to "Watch".
import { drawGrid } from "../grid.js";
import { followVideo, showPicture } from "../live.js";
import { foreseen, left, percent, size, speed, titleOf } from "../words.js";
import { filmPicture } from "./frame.js";
import { endUpload, sendDetails, Sending, UploadStopped } from "./sending.js";

const template = document.querySelector("template[data-item]");
const FIELDS = ["title", "description", "category"];
const STOPPABLE = new Set(["queued", "uploading", "paused", "left"]);
let counter = 0;

/**
 * States: waiting → queued → uploading ⇄ paused → converting → ready, or failed. An upload of an
 * earlier visit begins as `left`: its file has to be chosen once more.
 */
export class Item {
  /** `queue` is what the page does for its items: {changed, announce, run, choose, drop, most}. */
  constructor(queue, { file = null, upload = null }) {
    this.queue = queue;
    this.file = file;
    this.upload = upload;
    this.name = file?.name ?? upload.filename;
    this.bytes = file?.size ?? upload.length;
    this.number = counter += 1;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.label();
    for (const name of FIELDS) this.input(name).value = upload?.[name] ?? "";
    this.input("title").value ||= titleOf(this.name);
    this.saved = JSON.stringify(this.fields);
    this.element.addEventListener("change", () => this.save());
    for (const [name, act] of Object.entries({
      remove: () => this.remove(),
      cancel: () => this.cancel(),
      pause: () => this.sending?.pause(),
      resume: () => this.enqueue(),
      choose: () => this.queue.choose(),
      again: () => this.again(),
    })) {
      this.part(name).addEventListener("click", act);
    }
    if (upload) this.sayLeft();
    else this.look();
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  input(name) {
    return this.element.querySelector(`[data-name="${name}"]`);
  }

  get title() {
    return this.input("title").value.trim() || titleOf(this.name);
  }

  get fields() {
    return {
      title: this.title,
      description: this.input("description").value,
      category: this.input("category").value.trim(),
    };
  }

  /** Whether this upload of an earlier visit is of this file. */
  isOf(file) {
    return this.state === "left" && this.name === file.name && this.bytes === file.size;
  }

  /** Go on with an upload of an earlier visit. */
  take(file) {
    this.file = file;
    this.drawPicture();
    this.enqueue();
  }

  label() {
    for (const label of this.element.querySelectorAll("[data-for]")) {
      const input = this.input(label.dataset.for);
      input.id = `item-${this.number}-${label.dataset.for}`;
      label.htmlFor = input.id;
    }
    for (const name of ["remove", "cancel", "pause", "resume", "choose", "again"]) {
      const button = this.part(name);
      button.setAttribute("aria-label", `${button.textContent.trim() || "Remove"}: ${this.name}`);
    }
  }

  /** What can be said of the file before anything is sent. */
  look() {
    this.say(size(this.bytes));
    if (this.bytes === 0) this.fail("This file is empty. Is it complete?", { final: true });
    else if (this.bytes > this.queue.most) {
      const most = size(this.queue.most);
      this.fail(`This film is ${size(this.bytes)}; the most we can take is ${most}.`, { final: true });
    } else {
      this.show("waiting");
      this.drawPicture();
    }
  }

  sayLeft() {
    const share = this.upload.offset / this.upload.length;
    this.part("upload-bar").value = share;
    this.say(`Uploaded ${percent(share)} of ${size(this.bytes)} · choose the file again to go on`);
    this.show("left");
  }

  say(text) {
    this.part("text").textContent = text;
  }

  show(state) {
    this.state = state;
    this.element.dataset.state = state;
    const shown = state !== "left" && !this.final;
    this.part("fields").hidden = !shown;
    this.part("title").hidden = shown;
    this.part("title").textContent = this.title;
    this.part("bars").hidden = !["uploading", "paused", "converting", "left"].includes(state);
    this.part("pause").hidden = state !== "uploading";
    this.part("resume").hidden = state !== "paused";
    this.part("choose").hidden = state !== "left";
    this.part("cancel").hidden = !STOPPABLE.has(state);
    this.part("remove").hidden = !(state === "waiting" || state === "failed");
    this.part("again").hidden = state !== "failed" || this.final;
    this.queue.changed();
  }

  async drawPicture() {
    const picture = await filmPicture(this.file);
    if (picture && !this.part("picture").querySelector("img")) this.part("picture").append(picture);
  }

  fail(sentence, { errors = {}, final = false } = {}) {
    this.final = final;
    this.part("trouble").hidden = false;
    this.part("trouble-text").textContent = sentence;
    this.markFields(errors);
    this.say(size(this.bytes));
    this.show("failed");
    this.queue.announce(`${this.title}: ${sentence}`);
  }

  markFields(errors) {
    for (const place of this.element.querySelectorAll("[data-error]")) {
      const texts = errors[place.dataset.error] ?? [];
      place.textContent = texts.join(" ");
      place.hidden = !texts.length;
      const input = this.input(place.dataset.error);
      if (texts.length) {
        input.setAttribute("aria-invalid", "true");
        input.closest("details")?.setAttribute("open", "");
      } else input.removeAttribute("aria-invalid");
    }
  }

  /** Tell the server what was typed, wherever the film is by now. */
  async save() {
    const fields = this.fields;
    const text = JSON.stringify(fields);
    const upload = this.sending?.address ?? this.upload?.url;
    const address = this.video ? `/api/local-videos/${this.video}/` : upload && `${new URL(upload, location).pathname}details/`;
    if (!address || text === this.saved) return;
    try {
      await sendDetails(address, fields);
      this.saved = text;
      this.markFields({});
      this.queue.announce(`${fields.title}: saved.`);
    } catch (error) {
      if (!(error instanceof UploadStopped)) throw error;
      this.markFields(error.errors);
    }
  }

  enqueue() {
    this.part("trouble").hidden = true;
    this.markFields({});
    this.say("Next in line");
    this.show("queued");
    this.queue.run();
  }

  again() {
    // What became of the first try is of no use to anybody.
    if (this.video) fetch(`/api/local-videos/${this.video}/`, { method: "DELETE" }).catch(() => {});
    this.video = null;
    this.sending = null;
    this.enqueue();
  }

  async cancel() {
    const address = this.upload?.url;
    await (this.sending ? this.sending.cancel() : address && endUpload(address));
    this.sending = null;
    this.upload = null;
    if (!this.file) return this.remove();
    this.say(`${size(this.bytes)} · cancelled, nothing was kept`);
    this.show("waiting");
  }

  remove() {
    this.queue.drop(this);
  }

  /** Send what is missing; whatever comes of it is shown. */
  async send() {
    this.sending ??= new Sending(this.file, this.upload?.url ?? null);
    this.say("Starting");
    this.show("uploading");
    try {
      const video = await this.sending.run(this.fields, {
        progress: (sent) => this.showSending(sent),
        begun: (video) => this.follow(video),
        trouble: (sentence) => this.say(sentence),
      });
      this.part("upload-bar").value = 1;
      this.show("converting");
      this.follow(video);
      this.save();
    } catch (error) {
      if (!(error instanceof UploadStopped)) throw error;
      if (error.cancelled) return;
      this.broken = error.status === 0 && !error.paused;
      if (error.paused) this.showPaused("Paused");
      else if (error.status === 401 || error.status === 0) this.showPaused(error.message);
      else {
        this.sending = null;
        this.fail(error.message, error);
      }
    }
  }

  showPaused(why) {
    this.say(`${why} · ${percent(this.part("upload-bar").value)} is there`);
    this.show("paused");
  }

  showSending({ share, rate, rest }) {
    if (this.state !== "uploading") return;
    this.part("upload-bar").value = share;
    this.say(
      share >= 1
        ? "Uploaded. Having a look at the film"
        : [`Uploading ${percent(share)}`, rate ? speed(rate) : "", left(rest)].filter(Boolean).join(" · "),
    );
  }

  follow(video) {
    const look = (latest, grid) => this.showVideo(latest, grid);
    look(video, video.grid ?? null);
    if (this.video === video.id) return; // since its conversion began
    this.video = video.id;
    if (video.status === "processing") followVideo(video.id, look, { grid: true });
  }

  showVideo(latest, grid) {
    const busy = latest.status === "processing";
    this.part("convert-bar").value = latest.progress;
    const turned = this.showWatch(latest);
    if (latest.thumbnail_url) {
      this.part("picture").querySelector("[data-own]")?.remove();
      showPicture(this.part("picture"), latest.thumbnail_url);
    }
    if (latest.uploaded !== null) {
      if (turned) this.queue.announce(`${latest.title} can be watched.`);
      return; // the upload says how far it is
    }
    const figure = this.part("grid");
    if (grid?.rows?.length) drawGrid(figure, grid);
    figure.hidden = !busy || !figure.querySelector(".grid-row");
    if (busy) {
      const able = latest.playable ? "you can watch already" : "";
      const words = [`Converting ${percent(latest.progress)}`, foreseen(latest), able];
      this.say(words.filter(Boolean).join(" · "));
      if (this.state !== "converting") this.show("converting");
      if (turned) this.queue.announce(`${latest.title} can be watched.`);
    } else if (latest.status === "ready") {
      this.say("Ready");
      this.show("ready");
      this.queue.announce(`${latest.title} is ready.`);
    } else {
      const error = latest.error;
      this.fail(error ? `${error.message} ${error.hint ?? ""}`.trim() : "The conversion was cancelled.");
    }
  }

  /** Offer to watch once it can be; and the same film, if the person has it already. */
  showWatch(latest) {
    const watch = this.part("watch");
    const turned = watch.hidden && latest.playable;
    watch.hidden = !latest.playable;
    watch.href = `/watch/${latest.id}`;
    watch.setAttribute("aria-label", `Watch ${latest.title}`);
    const twin = this.part("twin");
    twin.hidden = !latest.duplicate_of;
    twin.querySelector("a").href = `/videos/${latest.duplicate_of}`;
    return turned;
  }
}
