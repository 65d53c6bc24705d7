// How far one has come, told to whoever keeps it: the server for a member, this device for a link.

const EVERY_MS = 10_000;
const PLAYED_S = 3; // so much is played, or sought, before anything is told
const STEP_S = 2; // of the clock between two looks at it; more is a jump
const SAME_S = 0.5;

/**
 * A keeper: the progress of a member, at `address`. Resolves to whether the film is still theirs.
 *
 * `countStalls` says how often playback has stood still; what is new of it is told along.
 */
export function toServer(address, countStalls) {
  let toldStalls = 0;
  return async (position, at) => {
    const stalls = Math.min(countStalls() - toldStalls, 1000);
    toldStalls += stalls;
    const answer = await fetch(address, {
      method: "PUT",
      keepalive: true, // the last one is sent as the page closes
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ position, at: at.toISOString(), stalls }),
    }).catch(() => ({ status: 0 }));
    if (answer.status === 404 || answer.status === 403) return false;
    if (answer.ok) return true;
    toldStalls -= stalls;
    throw new Error(`${answer.status}`);
  };
}

/** A keeper: this device, for the film of the link `key`. */
export function onDevice(key) {
  return async (position, _at, length) => {
    const over = length > 0 && position >= length * 0.95; // as the server has it
    localStorage.setItem(`position-${key}`, over ? 0 : position);
    return true;
  };
}

/** Where this device left the film of the link `key`, in seconds. */
export function positionOnDevice(key) {
  try {
    return Number(localStorage.getItem(`position-${key}`)) || 0;
  } catch {
    return 0;
  }
}

/**
 * Tell `keep` the position every ten seconds of playing, and whenever playing stops, until `signal`.
 *
 * Nothing is told before some of the film has been played or the person has moved in it: a page
 * that was only opened must not move back what went on elsewhere. `at` is the moment at which the
 * position was true, so that a page left open on pause never overtakes another device. What could
 * not be told is told later; nobody is bothered with it. `gone` is called once the film is refused.
 */
export function startBeats(video, keep, { gone, signal }) {
  let begun = false;
  let moved = false;
  let played = 0;
  let last = 0;
  let at = new Date();
  let told = null;
  let toldAt = performance.now();

  const beat = () => {
    if (!(moved || played >= PLAYED_S) || !video.readyState) return;
    if (told !== null && Math.abs(last - told) < SAME_S) return;
    const position = last;
    told = position;
    toldAt = performance.now();
    keep(Math.round(position * 1000) / 1000, at, video.duration)
      .then((ours) => ours || gone())
      .catch(() => {
        if (told === position) told = null;
      });
  };
  const look = () => {
    if (!begun || !video.readyState) return;
    const step = video.currentTime - last;
    if (step > 0 && step <= STEP_S) played += step;
    else if (Math.abs(step) > STEP_S) moved = true;
    if (step !== 0) at = new Date();
    last = video.currentTime;
  };
  const lookAndBeat = () => {
    look();
    beat();
  };

  video.addEventListener("playing", () => {
    if (begun) return;
    begun = true;
    last = video.currentTime;
    at = new Date();
  });
  video.addEventListener("timeupdate", () => {
    if (video.seeking) return;
    look();
    if (performance.now() - toldAt >= EVERY_MS) beat();
  });
  for (const name of ["seeked", "pause", "ended"]) video.addEventListener(name, lookAndBeat);
  document.addEventListener("visibilitychange", () => document.hidden && lookAndBeat(), { signal });
  window.addEventListener("pagehide", lookAndBeat, { signal });
  window.addEventListener("online", lookAndBeat, { signal });
  signal.addEventListener("abort", lookAndBeat);
}
