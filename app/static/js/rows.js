// Rows of films: two buttons that appear where there is more, and the arrow keys from card to card.

/** Bring every row of the page to life. */
export function startRows() {
  for (const row of document.querySelectorAll("[data-row]")) startRow(row);
}

function startRow(row) {
  const list = row.querySelector("[data-row-list]");
  const steps = row.querySelectorAll("[data-row-step]");
  const room = () => {
    const end = list.scrollWidth - list.clientWidth;
    for (const step of steps) {
      step.hidden = Number(step.dataset.rowStep) < 0 ? list.scrollLeft < 8 : list.scrollLeft > end - 8;
    }
  };
  for (const step of steps) {
    step.addEventListener("click", () => {
      const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      list.scrollBy({
        left: Number(step.dataset.rowStep) * list.clientWidth * 0.8,
        behavior: calm ? "auto" : "smooth",
      });
    });
  }
  list.addEventListener("scroll", room, { passive: true });
  new ResizeObserver(room).observe(list);
  list.addEventListener("keydown", (event) => moveFocus(event, list));
}

function moveFocus(event, list) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  const links = [...list.querySelectorAll(".card-link")];
  const card = event.target.closest(".card");
  const next = links[links.findIndex((link) => card?.contains(link)) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
}
