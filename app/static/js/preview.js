// Silent previews: on a card that is pointed at, in the hero once the pointer rests. Never for
// those who asked for less motion or for less data; in the hero they can be paused.

const REST_MS = 1000;

/** Start previews where there is one and the person's settings allow it. */
export function startPreviews() {
  if (window.matchMedia("(prefers-reduced-motion: reduce), (prefers-reduced-data: reduce)").matches) return;
  if (navigator.connection?.saveData) return;
  const hero = document.querySelector("[data-hero-preview]");
  if (hero) startHero(hero);
  startCards();
}

function startHero(hero) {
  const place = hero.querySelector(".hero-picture");
  const button = hero.querySelector("[data-hero-pause]");
  let isPaused = false;
  let isInView = true;
  let timer = 0;

  const follow = () => {
    const moving = place.querySelector("video[data-moving]");
    if (!moving) return;
    if (isPaused || !isInView || document.hidden) moving.pause();
    else moving.play().catch(() => moving.remove());
  };
  const begin = () => {
    if (document.hidden || !isInView || isPaused) return;
    stopResting();
    const moving = show(place, hero.dataset.heroPreview);
    moving?.addEventListener("playing", () => (button.hidden = false), { once: true });
    moving?.addEventListener("error", () => (button.hidden = true));
  };
  const rest = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(begin, REST_MS);
  };
  const stopResting = () => {
    for (const name of ["pointermove", "scroll", "keydown"]) window.removeEventListener(name, rest);
  };

  button.setAttribute("aria-pressed", "true"); // it moves
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(!isPaused));
    button.setAttribute("aria-label", isPaused ? "Play the preview" : "Pause the preview");
    follow();
  });
  new IntersectionObserver(([seen]) => {
    isInView = seen.isIntersecting;
    follow();
  }, { threshold: 0.3 }).observe(hero);
  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden && !place.querySelector("[data-moving]")) rest();
  });
  for (const name of ["pointermove", "scroll", "keydown"]) window.addEventListener(name, rest, { passive: true });
  rest();
}

// Cards come later too, so the page listens for them.
function startCards() {
  let card = null;
  let timer = 0;
  const stop = () => {
    window.clearTimeout(timer);
    card?.querySelector("[data-moving]")?.remove();
    card = null;
  };
  const start = (target) => {
    const found = target.closest?.(".card[data-preview]") ?? null;
    if (found === card) return;
    stop();
    card = found;
    if (card) timer = window.setTimeout(show, REST_MS / 2, card.querySelector("[data-picture]"), card.dataset.preview);
  };
  document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && start(event.target));
  document.addEventListener("pointerleave", stop);
  document.addEventListener("focusin", (event) => start(event.target));
}

function show(place, address) {
  if (!place || place.querySelector("[data-moving]")) return null;
  const moving = document.createElement("video");
  moving.dataset.moving = "";
  moving.setAttribute("aria-hidden", "true");
  moving.tabIndex = -1;
  Object.assign(moving, { muted: true, loop: true, playsInline: true, autoplay: true, disablePictureInPicture: true });
  moving.addEventListener("error", () => moving.remove());
  moving.src = address;
  place.append(moving);
  return moving;
}
