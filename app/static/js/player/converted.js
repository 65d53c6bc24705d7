// While a film is being converted: what of it is there, and which qualities may be chosen by
// themselves, so that playback does not run into a piece that is not made yet.

const EVERY_MS = 2000;
const AHEAD_S = 24; // how far ahead a quality must be there to be chosen

/** The video rows that are filled from `time` on for `ahead` seconds (or to the end). */
export function filledRows(rows, duration, time, ahead = AHEAD_S) {
  return rows.filter((row) => {
    if (row.kind !== "video" || !row.cells.length) return false;
    const end = (index) => row.starts[index + 1] ?? Math.max(duration, row.starts[index] + 1);
    return row.cells.every((cell, index) => cell === 2 || end(index) <= time || row.starts[index] >= time + ahead);
  });
}

/** Which level of hls.js each video row stands for, as a Map from row to index. */
export function levelsOf(rows, levels) {
  const size = (row) => Number.parseInt(row.name, 10);
  const video = rows.filter((row) => row.kind === "video").sort((a, b) => size(b) - size(a));
  const order = levels.map((_level, index) => index).sort((a, b) => levels[b].height - levels[a].height);
  if (video.length === levels.length) return new Map(video.map((row, rank) => [row, order[rank]]));
  const found = new Map();
  for (const row of video) {
    const index = levels.findIndex((level) => [level.height, level.width].includes(size(row)));
    if (index >= 0) found.set(row, index);
  }
  return found;
}

/**
 * Keep hls.js to the qualities that are there for some time ahead, else to those that are there at
 * this moment; to the lowest where none is, as that is made first for who waits.
 */
export function keepToFilled(hls, rows, duration, time) {
  const known = levelsOf(rows, hls.levels);
  const filled = (ahead) =>
    filledRows(rows, duration, time, ahead).map((row) => known.get(row)).filter((level) => level !== undefined);
  const there = [AHEAD_S, 0.1].map(filled).find((levels) => levels.length) ?? [];
  const lowest = known.size ? Math.min(...known.values()) : -1;
  hls.autoLevelCapping = there.length ? Math.max(...there) : lowest;
  hls.config.minAutoBitrate = there.length ? hls.levels[Math.min(...there)].maxBitrate : 0;
}

/** Draw which parts of the film are there in any quality, along the time line. */
export function drawConverted(picture, rows, duration) {
  const video = rows.filter((row) => row.kind === "video");
  const count = video[0]?.cells.length ?? 0;
  const starts = [...(video[0]?.starts ?? []), duration];
  picture.setAttribute("viewBox", `0 0 ${duration || 1} 1`);
  let path = "";
  for (let index = 0; index < count; index += 1) {
    const length = starts[index + 1] - starts[index];
    if (video.some((row) => row.cells[index] === 2)) path += `M${starts[index]} 0h${length}v1h-${length}z`;
  }
  picture.querySelector("path").setAttribute("d", path);
  picture.toggleAttribute("hidden", !count);
}

/** The grid at `address` as it is now; null where there is none to be seen. */
export async function gridOf(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  return answer.ok ? answer.json() : null;
}

/**
 * Look at the grid at `address` every two seconds until it is complete; `changed(grid)` each time.
 * Returns a function that ends it.
 */
export function followGrid(address, changed) {
  let timer = 0;
  let over = false;
  const look = async () => {
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const grid = await answer.json();
        if (over) return;
        changed(grid);
        if (grid.status !== "processing") return;
      } else if (answer.status < 500) return;
    } catch {
      // The line is away: the player says so itself if it matters.
    }
    if (!over) timer = window.setTimeout(look, EVERY_MS);
  };
  look();
  return () => {
    over = true;
    window.clearTimeout(timer);
  };
}
