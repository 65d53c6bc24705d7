// Keys for the whole page: what the kit knows once it has the focus, from anywhere, and the dialog
// that lists them. Steps in time are ours: the kit waits until the key is let go, and counts from the
// moment that it last heard of, so that keys pressed in a row, or held, move by one step only.

import { STEP_S, move } from "./moving.js";

const STEPS = { arrowleft: -STEP_S, arrowright: STEP_S, j: -STEP_S, l: STEP_S };
const TYPING = "input, textarea, select, [contenteditable]";
const PRESSING = /^( |Enter|Tab|Arrow.*)$/; // what a button or a link does something with itself

/** Let the keys work wherever the focus is, and "?" show them, until `signal`. */
export function startKeys({ controller, video, openKeys, next: nextLink }, dialog, { next, signal }) {
  const show = () => dialog.open || dialog.showModal();
  openKeys.addEventListener("click", show);
  dialog.querySelector("[data-next-key]").hidden = !next;
  nextLink.addEventListener("click", (event) => {
    event.preventDefault();
    next();
  });

  const press = (key) => {
    if (key === "?") show();
    else if (/^n$/i.test(key) && next) next();
    else if (/^[0-9]$/.test(key) && video.duration > 0) video.currentTime = (video.duration * Number(key)) / 10;
    else return false;
    return true;
  };
  const pass = (event) => {
    if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    if (event.type === "keydown" && press(event.key)) {
      event.preventDefault();
      return;
    }
    // Outside the kit only from where keys have no other meaning.
    const nowhere = [document.body, document.documentElement].includes(event.target) || dialog.contains(event.target);
    const onCard = event.target.closest?.("[data-end]") && !PRESSING.test(event.key);
    const inKit = controller.contains(event.target);
    if (!nowhere && !onCard && !inKit) return;
    const step = STEPS[event.key.toLowerCase()];
    if (event.type === "keydown" && step && !event.target.keysUsed?.includes(event.key)) {
      move(video, step);
      event.preventDefault();
    }
    if (inKit) return;
    const copy = new KeyboardEvent(event.type, { key: event.key, code: event.code, shiftKey: event.shiftKey, cancelable: true });
    controller.dispatchEvent(copy);
    if (copy.defaultPrevented) event.preventDefault();
  };
  document.addEventListener("keydown", pass, { signal });
  document.addEventListener("keyup", pass, { signal });
}
