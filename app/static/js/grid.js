// Draws the grid of a film that is being converted: one line for a quality, one cell for a piece of time.

const SVG = "http://www.w3.org/2000/svg";
const FINE = 60; // up to here each cell stands apart
const WIDTH = 1000; // of a row, in the units of its picture
const GAP = 3;

/** Fill the figure from {"rows": [{name, kind, cells}], progress}. */
export function drawGrid(figure, grid) {
  const rows = grid?.rows ?? [];
  const place = figure.querySelector("[data-grid-rows]");
  if (!rows.length || !place) return;
  const print = JSON.stringify(rows);
  if (place.drawn !== print) {
    place.drawn = print;
    place.replaceChildren(...rows.map(drawRow));
  }
  figure.setAttribute("aria-label", `What is converted so far: ${Math.floor((grid.progress ?? 0) * 100)} %`);
}

function drawRow(row) {
  const line = document.createElement("div");
  line.className = "grid-row";
  const name = document.createElement("span");
  name.className = "grid-name";
  name.textContent = row.kind === "audio" ? "sound" : row.name;
  const cell = WIDTH / Math.max(1, row.cells.length);
  const gap = row.cells.length <= FINE ? GAP : 0;
  const picture = shape("svg", { class: "grid-cells", viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none" });
  picture.append(shape("rect", { class: "cell-ground", width: WIDTH, height: 10 }));
  for (const run of runs(row.cells, gap > 0)) {
    const [x, width] = [run.from * cell, run.length * cell - gap].map((length) => length.toFixed(2));
    picture.append(shape("rect", { class: `cell-${run.state}`, x, width, height: 10 }));
  }
  line.append(name, picture);
  return line;
}

/** Neighbours in the same state as one piece, unless each is to stand alone; empty cells are left out. */
function runs(cells, alone) {
  const found = [];
  cells.forEach((state, index) => {
    const last = found.at(-1);
    if (!state) return;
    if (!alone && last?.state === state && last.from + last.length === index) last.length += 1;
    else found.push({ state, from: index, length: 1 });
  });
  return found;
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
