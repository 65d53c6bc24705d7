// While a film is being converted: what of it is there, and which qualities may be chosen by
// themselves, so that playback does not run into a piece that is not made yet.

const EVERY_MS = 2000;
const AHEAD_S = 24; // how far ahead a quality must be there to be chosen

/** The video rows that are filled from `time` on for `ahead` seconds (or to the end). */
export function filledRows(rows, duration, time, ahead = AHEAD_S) {
  return rows.filter((row) => {
    const count = row.cells.length;
    if (row.kind !== "video" || !count || !(duration > 0)) return false;
    const from = Math.min(count - 1, Math.floor((time / duration) * count));
    const to = Math.min(count, Math.ceil(((time + ahead) / duration) * count) + 1);
    return row.cells.slice(from, to).every((cell) => cell === 2);
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

/** Keep hls.js to the qualities that are there around the current time; to the lowest where none is. */
export function keepToFilled(hls, rows, duration, time) {
  const known = levelsOf(rows, hls.levels);
  const there = filledRows(rows, duration, time).map((row) => known.get(row)).filter((level) => level !== undefined);
  const lowest = known.size ? Math.min(...known.values()) : -1;
  hls.autoLevelCapping = there.length ? Math.max(...there) : lowest;
  hls.config.minAutoBitrate = there.length ? hls.levels[Math.min(...there)].maxBitrate : 0;
}

/** Draw which parts of the film are there in any quality, along the time line. */
export function drawConverted(picture, rows) {
  const video = rows.filter((row) => row.kind === "video");
  const count = video[0]?.cells.length ?? 0;
  picture.setAttribute("viewBox", `0 0 ${count || 1} 1`);
  let path = "";
  for (let index = 0; index < count; index += 1) {
    if (video.some((row) => row.cells[index] === 2)) path += `M${index} 0h1v1h-1z`;
  }
  picture.querySelector("path").setAttribute("d", path);
  picture.toggleAttribute("hidden", !count);
}

/**
 * Look at the grid of film `id` every two seconds until it is complete; `changed(grid)` each time.
 * Returns a function that ends it.
 */
export function followGrid(id, changed) {
  let timer = 0;
  let over = false;
  const look = async () => {
    try {
      const answer = await fetch(`/api/videos/${id}/grid/`, { headers: { Accept: "application/json" } });
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
