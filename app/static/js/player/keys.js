// Keys for the whole page: what the kit knows once it has the focus, from anywhere, and the dialog
// that lists them.

const TYPING = "input, textarea, select, [contenteditable]";

/** Let the keys work wherever the focus is, and "?" show them. */
export function startKeys({ controller, video, openKeys }, dialog) {
  const show = () => dialog.open || dialog.showModal();
  openKeys.addEventListener("click", show);

  const pass = (event) => {
    if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    if (event.type === "keydown" && event.key === "?") {
      event.preventDefault();
      return show();
    }
    if (event.type === "keydown" && /^[0-9]$/.test(event.key) && video.duration > 0) {
      video.currentTime = (video.duration * Number(event.key)) / 10;
      return undefined;
    }
    // Outside the player only from where keys have no other meaning.
    const nowhere = event.target === document.body || event.target === document.documentElement;
    if (!nowhere) return undefined;
    const copy = new KeyboardEvent(event.type, { key: event.key, code: event.code, shiftKey: event.shiftKey, cancelable: true });
    controller.dispatchEvent(copy);
    if (copy.defaultPrevented) event.preventDefault();
    return undefined;
  };
  document.addEventListener("keydown", pass);
  document.addEventListener("keyup", pass);
}
