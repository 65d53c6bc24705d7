// The film as a stream: hls.js where the browser has media sources, the browser's own HLS elsewhere.
// Qualities and sound tracks are put on the video element the way the player kit reads them.

import { nearest } from "./memory.js";

const PATIENT = { maxNumRetry: 40, retryDelayMs: 700, maxRetryDelayMs: 3000, shouldRetry: worthAnotherTry };

// A piece that is not encoded yet is answered 503 or held back for a while: it is being made.
const LOADING = {
  default: {
    maxTimeToFirstByteMs: 30_000,
    maxLoadTimeMs: 120_000,
    timeoutRetry: { maxNumRetry: 6, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: PATIENT,
  },
};
const LISTS = {
  default: {
    maxTimeToFirstByteMs: 15_000,
    maxLoadTimeMs: 30_000,
    timeoutRetry: { maxNumRetry: 3, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry: 5, retryDelayMs: 700, maxRetryDelayMs: 3000 },
  },
};

const REFUSALS = 4;
const SILENT_MS = 15_000;
const MAKING_MS = 180_000;

function worthAnotherTry(config, count, _late, answer, usual) {
  const cut = !answer?.code && count < 6; // no answer at all: the line may come back
  return usual || (cut && count < config.maxNumRetry);
}

let Hls = null;

/**
 * Load what playing needs. To be done before a player is built: it looks once whether a video
 * element has lists of qualities and sound tracks, and listens to them only then.
 */
export async function loadStream() {
  const [module, { MediaTracksMixin }] = await Promise.all([
    import("../../vendor/hls.js/hls.mjs"),
    import("../../vendor/media-tracks/index.js"),
  ]);
  Hls = module.default;
  if (Hls.isSupported()) MediaTracksMixin(HTMLVideoElement);
}

/**
 * Play `address` in `video`, with the sound and the captions that come nearest to `wishes` (see
 * memory.js). `heard` has quality(lines), levels(hls) before the first piece is
 * loaded, lost(status) and broken(). Returns {hls, end}; `hls` is null where the browser plays the
 * stream itself.
 */
export function openStream(video, address, { position, wishes, heard }) {
  if (!Hls.isSupported()) return openNatively(video, address, position, heard);
  const hls = new Hls({
    startPosition: position > 0 ? position : -1,
    startFragPrefetch: true,
    capLevelToPlayerSize: false,
    backBufferLength: 60,
    maxMaxBufferLength: 60, // a film that is withdrawn stops within about a minute
    workerPath: new URL("../../vendor/hls.js/hls.worker.js", import.meta.url).href,
    fragLoadPolicy: LOADING,
    playlistLoadPolicy: LISTS,
    manifestLoadPolicy: LISTS,
  });
  wishFor(hls, wishes);
  const undo = [showQualities(hls, video), showSounds(hls, video), tellSize(video, heard)];
  let mended = 0;
  const lost = (status) => {
    hls.stopLoad();
    heard.lost(status);
  };
  const patience = startPatience();
  hls.on(Hls.Events.FRAG_LOADED, patience.renew);
  hls.on(Hls.Events.ERROR, (_name, error) => {
    const status = error.response?.code ?? 0;
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
      if (patience.ends(status)) return lost(status);
    }
    if (!error.fatal) return;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && mended < 2) {
      mended += 1;
      hls.recoverMediaError();
    } else if (error.type === Hls.ErrorTypes.NETWORK_ERROR) lost(status);
    else heard.broken();
  });
  hls.once(Hls.Events.MANIFEST_PARSED, () => heard.levels(hls));
  hls.loadSource(address);
  hls.attachMedia(video);
  return {
    hls,
    end() {
      for (const step of undo) step();
      hls.destroy();
    },
  };
}

/**
 * How long failing loads are borne once nothing is left to play: hls.js goes from quality to quality
 * for minutes. Refusals end it soon, a silent line after some time, "not made yet" only much later.
 */
function startPatience() {
  let since = 0;
  let refusals = 0;
  return {
    renew() {
      since = 0;
      refusals = 0;
    },
    ends(status) {
      since ||= performance.now();
      const waited = performance.now() - since;
      if (status >= 400 && status < 500) return (refusals += 1) >= REFUSALS;
      return waited > (status >= 500 ? MAKING_MS : SILENT_MS);
    },
  };
}

function openNatively(video, address, position, heard) {
  if (!video.canPlayType("application/vnd.apple.mpegurl")) {
    heard.broken();
    return { hls: null, end() {} };
  }
  const seek = () => {
    if (position > 0) video.currentTime = position;
  };
  const fail = () => (video.error?.code === MediaError.MEDIA_ERR_NETWORK ? heard.lost(0) : heard.broken());
  const untell = tellSize(video, heard);
  video.addEventListener("loadedmetadata", seek, { once: true });
  video.addEventListener("error", fail);
  video.src = address;
  return {
    hls: null,
    end() {
      untell();
      video.removeEventListener("error", fail);
    },
  };
}

/**
 * Begin with the languages that were chosen before. Captions are for those who ask; for others only
 * what the film itself forces is shown.
 */
function wishFor(hls, { sound, captions, captionsOn }) {
  hls.once(Hls.Events.AUDIO_TRACKS_UPDATED, (_name, { audioTracks }) => {
    const wanted = nearest(audioTracks, sound);
    if (wanted) hls.audioTrack = audioTracks.indexOf(wanted);
  });
  // It turns some on by itself, which says that the tracks are there.
  hls.once(Hls.Events.SUBTITLE_TRACK_SWITCH, () => {
    const tracks = hls.subtitleTracks;
    const asked = captionsOn && nearest(tracks.filter((track) => !track.forced), captions);
    hls.subtitleTrack = tracks.indexOf(asked || tracks.find((track) => track.forced));
  });
}

/** Tell the lines of the picture whenever they change: what plays now, not what is being loaded. */
function tellSize(video, heard) {
  const tell = () => heard.quality(Math.min(video.videoHeight, video.videoWidth));
  video.addEventListener("resize", tell);
  return () => video.removeEventListener("resize", tell);
}

/** The levels of hls.js as the video's renditions; a choice in the menu goes back to hls.js. */
function showQualities(hls, video) {
  const levels = new Map();
  let track = null;
  const clear = () => {
    for (const old of [...video.videoTracks]) video.removeVideoTrack(old);
    levels.clear();
  };
  const choose = () => {
    const chosen = video.videoRenditions[video.videoRenditions.selectedIndex];
    hls.nextLevel = chosen ? hls.levels.indexOf(levels.get(chosen.id)) : -1;
  };
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    clear();
    track = video.addVideoTrack("main");
    track.id = "main";
    track.selected = true;
    hls.levels.forEach((level, index) => {
      const rendition = track.addRendition(level.url[0], level.width, level.height, level.videoCodec, level.bitrate);
      rendition.id = `${index}`;
      levels.set(rendition.id, level);
    });
  });
  hls.on(Hls.Events.LEVELS_UPDATED, () => {
    for (const rendition of [...video.videoRenditions]) {
      if (!hls.levels.includes(levels.get(rendition.id))) track.removeRendition(rendition);
    }
  });
  video.videoRenditions.addEventListener("change", choose);
  return () => {
    video.videoRenditions.removeEventListener("change", choose);
    clear();
  };
}

/** The sound tracks of hls.js as the video's; a choice in the menu goes back to hls.js. */
function showSounds(hls, video) {
  const clear = () => {
    for (const old of [...video.audioTracks]) video.removeAudioTrack(old);
  };
  const choose = () => {
    const chosen = [...video.audioTracks].find((track) => track.enabled);
    const index = chosen ? Number(chosen.id) : -1;
    if (index >= 0 && index !== hls.audioTrack) hls.audioTrack = index;
  };
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, (_name, { audioTracks }) => {
    clear();
    audioTracks.forEach((sound, index) => {
      const track = video.addAudioTrack(sound.default ? "main" : "alternative", sound.name, sound.lang ?? "");
      track.id = `${index}`;
      if (index === Math.max(0, hls.audioTrack)) track.enabled = true;
    });
  });
  video.audioTracks.addEventListener("change", choose);
  return () => {
    video.audioTracks.removeEventListener("change", choose);
    clear();
  };
}
