// What this device remembers of how one watches: loudness and the languages of sound and captions
// from one film to the next and from one evening to the next, the speed until the tab is closed.

const NAME = "player";

const storages = { always: () => localStorage, session: () => sessionStorage };

/** What is remembered: {volume, muted, speed, sound, captions, captionsOn}, each if it was chosen. */
export function remembered() {
  return { ...read(storages.always), ...read(storages.session) };
}

function read(storage) {
  try {
    return JSON.parse(storage().getItem(NAME)) ?? {};
  } catch {
    return {}; // storage is barred, or holds what we did not write
  }
}

function remember(values, storage = storages.always) {
  try {
    storage().setItem(NAME, JSON.stringify({ ...read(storage), ...values }));
  } catch {
    // Storage is barred: the choice holds for this film.
  }
}

/** The track that comes nearest to a remembered one, {language, label}; undefined where none does. */
export function nearest(tracks, wish) {
  if (!wish) return undefined;
  const spoken = tracks.filter((track) => (track.language ?? track.lang ?? "") === wish.language);
  return spoken.find((track) => (track.label ?? track.name) === wish.label) ?? (wish.language ? spoken[0] : undefined);
}

/** Begin as one likes it, and remember what is chosen in the player `place` until `signal`. */
export function followChoices(place, video, signal) {
  const { volume, muted, speed } = remembered();
  if (volume >= 0 && volume <= 1) video.volume = volume;
  if (muted) video.muted = true;
  if (speed > 0) video.defaultPlaybackRate = video.playbackRate = speed;

  video.addEventListener("volumechange", () => remember({ volume: video.volume, muted: video.muted }));
  video.addEventListener("ratechange", () => {
    if (!video.readyState) return; // a stream that begins sets the usual speed first
    video.defaultPlaybackRate = video.playbackRate;
    remember({ speed: video.playbackRate }, storages.session);
  });
  // The kit has done what it was asked for when these have run through.
  const later = (keep) => () => setTimeout(keep);
  const keepSound = later(() => {
    const chosen = [...(video.audioTracks ?? [])].find((track) => track.enabled);
    if (chosen) remember({ sound: { language: chosen.language, label: chosen.label } });
  });
  const keepCaptions = later(() => {
    const shown = captionsOf(video).find((track) => track.mode === "showing");
    remember(shown ? { captions: { language: shown.language, label: shown.label }, captionsOn: true } : { captionsOn: false });
  });
  const listen = (name, act, capture = false) => place.addEventListener(name, act, { signal, capture });
  listen("mediaaudiotrackrequest", keepSound);
  listen("mediashowsubtitlesrequest", keepCaptions);
  listen("mediadisablesubtitlesrequest", keepCaptions);
  // The kit would turn on the browser's language, or the first: we turn on what was chosen before.
  listen("mediatogglesubtitlesrequest", (event) => {
    event.stopPropagation();
    toggleCaptions(video);
    keepCaptions();
  }, true);
}

function toggleCaptions(video) {
  const tracks = captionsOf(video);
  const shown = tracks.filter((track) => track.mode === "showing");
  for (const track of shown) track.mode = "disabled";
  if (shown.length) return;
  const understood = (language) => tracks.find((track) => track.language.startsWith(language.slice(0, 2)));
  const wanted = nearest(tracks, remembered().captions) ?? navigator.languages.map(understood).find(Boolean) ?? tracks[0];
  if (wanted) wanted.mode = "showing";
}

function captionsOf(video) {
  return [...video.textTracks].filter((track) => ["subtitles", "captions"].includes(track.kind));
}
