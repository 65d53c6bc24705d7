// Choosing a film's picture from its storyboard: a button for each of some moments spread over it.
import { here } from "./address.js";

const MOST = 24;
const CUE = /([\d:.]+) --> [\d:.]+\s+(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

const place = document.querySelector("[data-moments]");
if (place?.dataset.storyboard) start(here(place.dataset.storyboard));

async function start(address) {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) return; // the field below does as well
  const cues = [...(await answer.text()).matchAll(CUE)];
  const step = Math.max(1, cues.length / MOST);
  const list = place.querySelector("[data-moments-list]");
  const field = document.querySelector("[data-moment]");
  for (let index = 0; index < cues.length; index += step) {
    const [, clock, sheet, ...box] = cues[Math.floor(index)];
    const item = document.createElement("li");
    item.append(button(shown(clock), new URL(sheet, new URL(address, window.location.href)).href, box, list, field));
    list.append(item);
  }
  place.hidden = cues.length === 0;
}

function button(clock, sheet, [x, y, width, height], list, field) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "moment" });
  made.setAttribute("aria-pressed", "false");
  made.setAttribute("aria-label", `The picture at ${clock}`);
  const frame = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  frame.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  frame.setAttribute("aria-hidden", "true");
  const image = document.createElementNS("http://www.w3.org/2000/svg", "image");
  image.setAttribute("href", sheet);
  frame.append(image);
  const time = Object.assign(document.createElement("span"), { className: "badge badge-time", textContent: clock });
  made.append(frame, time);
  made.addEventListener("click", () => {
    for (const other of list.querySelectorAll(".moment")) other.setAttribute("aria-pressed", String(other === made));
    field.value = clock;
  });
  return made;
}

/** "00:04:05.000" → "4:05", "01:00:00.000" → "1:00:00". */
function shown(clock) {
  return clock.replace(/\.\d+$/, "").replace(/^(?:00:)?0?/, "");
}
