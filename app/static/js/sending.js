// One film on its way to the server, and a picture of it from the file itself.
import { problemSentence } from "./words.js";

/** An upload that did not end in a film; `message` is a sentence, `errors` names fields. */
export class UploadStopped extends Error {
  constructor(message, { errors = {}, cancelled = false } = {}) {
    super(message);
    this.errors = errors;
    this.cancelled = cancelled;
  }
}

/**
 * Send a film and its fields as one multipart form (fields first, so that the server knows them
 * before the long part). `progress` gets {share, rate (bytes/s), rest (s)}. Resolves to the video;
 * rejects with UploadStopped.
 */
export function sendFilm(file, fields, { signal, progress }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  const pace = startPace();
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const rate = pace(event.loaded);
      progress({ share: event.loaded / event.total, rate, rest: (event.total - event.loaded) / rate });
    });
    request.addEventListener("load", () => {
      const body = parse(request.responseText);
      if (request.status >= 200 && request.status < 300 && body) return resolve(body);
      reject(new UploadStopped(problemSentence(request.status, body), { errors: body?.errors }));
    });
    request.addEventListener("error", () => reject(new UploadStopped(problemSentence(0))));
    request.addEventListener("abort", () => reject(new UploadStopped("Cancelled.", { cancelled: true })));
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", "/api/local-videos/");
    request.setRequestHeader("Accept", "application/json");
    request.send(form);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A speedometer: bytes so far → bytes a second, the last seconds counting most. */
function startPace() {
  let lastTime = performance.now();
  let lastBytes = 0;
  let rate = 0;
  return (bytes) => {
    const seconds = (performance.now() - lastTime) / 1000;
    if (seconds >= 0.25) {
      const now = (bytes - lastBytes) / seconds;
      rate = rate ? rate * 0.7 + now * 0.3 : now;
      lastTime = performance.now();
      lastBytes = bytes;
    }
    return rate;
  };
}

/** An image of a frame from the file, or null where this browser cannot play it. */
export async function filmPicture(file) {
  const address = URL.createObjectURL(file);
  const video = document.createElement("video");
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    await happens(video, "loadeddata");
    video.currentTime = Math.min(video.duration * 0.1 || 0, 10);
    await happens(video, "seeked");
    const canvas = document.createElement("canvas");
    const scale = Math.min(1, 480 / video.videoWidth);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const image = new Image();
    image.alt = "";
    image.dataset.own = "";
    image.src = canvas.toDataURL("image/jpeg", 0.8);
    return image;
  } catch {
    return null;
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
}

function happens(target, name) {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(() => reject(new Error("too slow")), 8000);
    target.addEventListener(name, () => (window.clearTimeout(timer), resolve()), { once: true });
    target.addEventListener("error", () => (window.clearTimeout(timer), reject(new Error("unreadable"))), { once: true });
  });
}
