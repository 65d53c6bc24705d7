// Silent previews: on a card that is pointed at, in the hero after a second of rest. Never for
// those who asked for less motion or for less data.

const REST_MS = 1000;

/** Start previews where there is one and the person's settings allow it. */
export function startPreviews() {
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  if (navigator.connection?.saveData) return;
  const hero = document.querySelector("[data-hero-preview]");
  if (hero) {
    window.setTimeout(() => {
      if (!document.hidden) show(hero.querySelector(".hero-picture"), hero.dataset.heroPreview);
    }, REST_MS);
  }
  for (const card of document.querySelectorAll(".card[data-preview]")) {
    const place = card.querySelector("[data-picture]");
    let timer = 0;
    const start = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => show(place, card.dataset.preview), REST_MS / 2);
    };
    const stop = () => {
      window.clearTimeout(timer);
      place.querySelector("[data-moving]")?.remove();
    };
    card.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && start());
    card.addEventListener("focusin", start);
    card.addEventListener("pointerleave", stop);
    card.addEventListener("focusout", stop);
  }
}

function show(place, address) {
  if (!place || place.querySelector("[data-moving]")) return;
  const film = /\.(mp4|webm|m4v)(\?|$)/i.test(address);
  const moving = document.createElement(film ? "video" : "img");
  moving.dataset.moving = "";
  moving.setAttribute("aria-hidden", "true");
  if (film) Object.assign(moving, { muted: true, loop: true, playsInline: true, autoplay: true, disablePictureInPicture: true });
  else moving.alt = "";
  moving.addEventListener("error", () => moving.remove());
  moving.src = address;
  place.append(moving);
}
