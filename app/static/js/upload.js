// The upload page: films are dropped or chosen, named, and sent one after another; an upload of an
// earlier visit goes on once its file is chosen again.
import { Item } from "./upload/item.js";
import { unfinishedUploads } from "./upload/sending.js";

const page = document.querySelector("[data-uploads]");
const find = (name) => page.querySelector(`[data-${name}]`);
const picker = page.querySelector("input[type=file]");
const drop = find("drop");
const list = find("queue-list");
const start = find("start");

/** @type {Item[]} */
const items = [];

const queue = {
  most: Number(page.dataset.maxBytes) || Infinity,
  changed: showQueue,
  announce,
  run,
  choose: () => picker.click(),
  drop(item) {
    const next = item.element.nextElementSibling ?? item.element.previousElementSibling;
    items.splice(items.indexOf(item), 1);
    item.element.remove();
    showQueue();
    (next?.querySelector("[data-remove]:not([hidden]), a, button:not([hidden])") ?? picker).focus();
  },
};

function announce(text) {
  find("status").textContent = text;
}

function showQueue() {
  const count = (...states) => items.filter((item) => states.includes(item.state)).length;
  const waiting = count("waiting");
  const moving = count("queued", "uploading", "paused");
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
        : count("left")
          ? "Not finished"
          : "Not uploaded";
}

function insert(fresh) {
  items.push(...fresh);
  list.append(...fresh.map((item) => item.element));
  showQueue();
}

function add(files) {
  const fresh = [];
  for (const file of files) {
    const begun = items.find((item) => item.isOf(file));
    if (begun) begun.take(file);
    else fresh.push(new Item(queue, { file }));
  }
  insert(fresh);
  if (fresh.length) announce(`${fresh.length === 1 ? fresh[0].name : `${fresh.length} films`} added.`);
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
  for (const item of items) if (item.state === "waiting") item.enqueue();
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
  if (items.some((item) => ["uploading", "queued", "paused"].includes(item.state))) event.preventDefault();
});
window.addEventListener("online", () => {
  for (const item of items) if (item.state === "paused" && item.broken) item.enqueue();
});

const before = await unfinishedUploads().catch(() => []);
insert(before.map((upload) => new Item(queue, { upload })));
if (picker.files.length) add(picker.files); // chosen before this script ran
