// The card at the end of a film: the next episode, which begins by itself after some seconds, or
// what else one could do.

const SECONDS = 8;

/** Show the card whenever `video` has ended. `next()` turns to the next episode, if there is one. */
export function startEnding(place, { video, controller }, { next, signal }) {
  const card = place.querySelector("[data-end]");
  const find = (name) => card.querySelector(`[data-${name}]`);
  const [play, cancel, again, count, seconds] = ["play-next", "cancel", "again", "count", "seconds"].map(find);
  let cancelled = false;
  let left = 0;
  let timer = 0;

  const stopCount = () => {
    window.clearInterval(timer);
    for (const part of [count, cancel]) if (part) part.hidden = true;
  };
  const turn = () => {
    stopCount();
    next();
  };
  const tick = () => {
    if (document.hidden) return; // nobody is there to see what would begin
    left -= 1;
    seconds.textContent = left;
    if (left <= 0) turn();
  };
  const startCount = () => {
    left = SECONDS;
    seconds.textContent = left;
    for (const part of [count, cancel]) part.hidden = false;
    timer = window.setInterval(tick, 1000);
  };
  const show = () => {
    if (!card.hidden) return;
    card.hidden = false;
    controller.inert = true; // it lies behind the card
    if (next && !cancelled) startCount();
    (play ?? again).focus();
  };
  const hide = () => {
    if (card.hidden) return;
    stopCount();
    card.hidden = true;
    controller.inert = false;
  };
  const giveUp = () => {
    cancelled = true;
    stopCount();
    (play ?? again).focus();
  };

  video.addEventListener("ended", show);
  video.addEventListener("seeking", hide);
  play?.addEventListener("click", (event) => {
    event.preventDefault();
    turn();
  });
  cancel?.addEventListener("click", giveUp);
  card.addEventListener("keydown", (event) => event.key === "Escape" && giveUp());
  again.addEventListener("click", () => {
    hide();
    controller.focus();
    video.currentTime = 0;
    video.play();
  });
  signal.addEventListener("abort", stopCount);
}
