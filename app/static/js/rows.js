// Rows of films: filled as they come near, two buttons that appear where there is more, and the
// arrow keys from card to card and from row to row.

/** Fetch the films of rows that are so near, in pixels. */
const NEAR = "600px";

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Bring every row of the page to life. */
export function startRows() {
  const near = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        filled(target);
      }
    },
    { rootMargin: NEAR },
  );
  for (const row of document.querySelectorAll("[data-row]")) {
    startRow(row);
    if (row.dataset.rowFill) near.observe(row);
  }
  document.addEventListener("keydown", moveFocus);
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
      list.scrollBy({
        left: Number(step.dataset.rowStep) * list.clientWidth * 0.8,
        behavior: calm.matches ? "auto" : "smooth",
      });
    });
  }
  list.addEventListener("scroll", room, { passive: true });
  list.addEventListener("films-came", room);
  new ResizeObserver(room).observe(list);
}

const coming = new WeakMap();

/** Done once the row has its films, or cannot get them; each row is asked for once. */
function filled(row) {
  if (!coming.has(row)) coming.set(row, row.dataset.rowFill ? fillRow(row) : Promise.resolve());
  return coming.get(row);
}

async function fillRow(row) {
  const list = row.querySelector("[data-row-list]");
  row.querySelector(".row-failed")?.remove();
  try {
    const answer = await fetch(row.dataset.rowFill);
    if (answer.status === 404) return row.remove(); // its last film went meanwhile
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    list.innerHTML = await answer.text();
  } catch {
    return showFailure(row);
  }
  list.removeAttribute("aria-busy");
  row.classList.remove("row-waiting");
  list.dispatchEvent(new CustomEvent("films-came", { bubbles: true }));
}

function showFailure(row) {
  const note = document.createElement("div");
  note.className = "row-failed";
  note.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = "These films did not come.";
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button button-quiet button-small";
  again.textContent = "Try again";
  again.addEventListener("click", () => fillRow(row));
  note.append(words, again);
  row.querySelector(".row-frame").append(note);
}

async function moveFocus(event) {
  const card = event.target.closest?.("[data-row-list] .card");
  if (!card || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const list = card.closest("[data-row-list]");
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return go(event, alongRow(list, card, event.key));
  const rows = [...document.querySelectorAll("[data-row]")];
  const row = rows[rows.indexOf(list.closest("[data-row]")) + step];
  if (!row || !list.closest("[data-row]")) return;
  event.preventDefault();
  await filled(row);
  go(event, nearest(linksOf(row), middle(card)));
}

function go(event, link) {
  if (!link) return;
  event.preventDefault();
  link.focus({ preventScroll: true });
  link.closest("li").scrollIntoView({ block: "nearest", inline: "nearest" });
}

function alongRow(list, card, key) {
  const links = linksOf(list);
  const place = links.findIndex((link) => card.contains(link));
  return { ArrowLeft: links[place - 1], ArrowRight: links[place + 1], Home: links[0], End: links.at(-1) }[key];
}

function linksOf(place) {
  return [...place.querySelectorAll("li:not(.is-gone) .card-link")];
}

function nearest(links, wanted) {
  const far = (link) => Math.abs(middle(link) - wanted);
  return links.reduce((best, link) => (far(link) < far(best) ? link : best), links[0]);
}

function middle(element) {
  const { left, width } = element.getBoundingClientRect();
  return left + width / 2;
}
