// The film for the machine around the browser: lock screen, headset and keyboard keys, and what
// they may do with it.

import { STEP_S, move } from "./moving.js";

/** Say what plays, and obey the keys of the machine. `next()` turns to the next episode. */
export function startSession(video, film, { next, signal }) {
  const session = navigator.mediaSession;
  if (!session) return;
  const artwork = film.poster ? [{ src: new URL(film.poster, document.baseURI).href, type: "image/jpeg" }] : [];
  session.metadata = new MediaMetadata({ title: film.title, artist: film.show || "Videoflix", artwork });

  const acts = {
    play: () => video.play(),
    pause: () => video.pause(),
    seekbackward: ({ seekOffset }) => move(video, -(seekOffset || STEP_S)),
    seekforward: ({ seekOffset }) => move(video, seekOffset || STEP_S),
    seekto: ({ seekTime }) => {
      video.currentTime = seekTime;
    },
    nexttrack: next,
  };
  for (const [name, act] of Object.entries(acts)) {
    try {
      session.setActionHandler(name, act);
    } catch {
      // This browser does not know this one.
    }
  }
  const tell = () => {
    const { duration, playbackRate, currentTime } = video;
    if (!(duration > 0) || !Number.isFinite(duration) || !(playbackRate > 0)) return;
    session.setPositionState?.({ duration, playbackRate, position: Math.min(currentTime, duration) });
  };
  for (const name of ["loadedmetadata", "playing", "pause", "seeked", "ratechange"]) {
    video.addEventListener(name, tell, { signal });
  }
}
