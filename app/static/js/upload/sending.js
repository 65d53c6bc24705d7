// One film on its way to the server, in pieces (tus 1.0.0), so that nothing is sent twice.
import "../../vendor/tus-js-client/tus.min.js";
import { problemSentence } from "../words.js";

const CHUNK_BYTES = 16 * 2 ** 20;
const RETRY_PAUSES = [0, 500, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000, 30000, 30000];
const HOPELESS = new Set([400, 403, 410, 413, 415, 460, 507]);

/** An upload that did not end in a film; `message` is a sentence, `errors` names fields. */
export class UploadStopped extends Error {
  constructor(message, { errors = {}, cancelled = false, paused = false, status = 0 } = {}) {
    super(message);
    this.errors = errors;
    this.cancelled = cancelled;
    this.paused = paused;
    this.status = status;
  }
}

/** The person's uploads that have not ended, as the server knows them. */
export async function unfinishedUploads() {
  const answer = await fetch("/api/uploads/", { headers: { Accept: "application/json" } });
  if (!answer.ok) return [];
  return (await answer.json()).filter((upload) => !upload.finished_at);
}

/** Change title, description or category of an upload on its way; rejects with UploadStopped. */
export async function sendDetails(address, fields) {
  const answer = await fetch(address, {
    method: address.includes("/uploads/") ? "POST" : "PATCH",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  if (!answer.ok) throw stoppedBy(answer.status, await answer.text());
}

/** Forget an upload and what has come of it. */
export function endUpload(address) {
  return window.tus.Upload.terminate(address, { retryDelays: RETRY_PAUSES }).catch(() => {});
}

/** A film that is being sent: `run` until it ends or is paused, any number of times. */
export class Sending {
  /** `address` is that of an upload to go on with, null for a new one. */
  constructor(file, address = null) {
    this.file = file;
    this.address = address;
    this.video = null;
  }

  /**
   * Send what is missing. `progress` gets {share, rate (bytes/s), rest (s)}, `begun` the film if
   * its conversion begins before its end, `trouble` a sentence while the connection is away.
   * Resolves to the film; rejects with UploadStopped.
   */
  async run(fields, { progress, begun, trouble }) {
    const pace = startPace();
    const location = await new Promise((resolve, reject) => {
      this.reject = reject;
      let last = null;
      this.upload = new window.tus.Upload(this.file, {
        endpoint: "/api/uploads/",
        uploadUrl: this.address,
        chunkSize: CHUNK_BYTES,
        retryDelays: RETRY_PAUSES,
        storeFingerprintForResuming: false,
        metadata: { filename: this.file.name, ...fields },
        onUploadUrlAvailable: () => {
          this.address = this.upload.url;
        },
        onProgress: (sent, total) => {
          const rate = pace(sent);
          progress({ share: total ? sent / total : 1, rate, rest: (total - sent) / rate });
        },
        onAfterResponse: (_request, response) => {
          const found = response.getHeader("Video-Location");
          if (found && !last) filmAt(found).then(begun, () => {});
          last = found ?? last;
        },
        onShouldRetry: (error) => {
          const status = error.originalResponse?.getStatus() ?? 0;
          if (HOPELESS.has(status) || status === 401) return false;
          trouble(status ? "The server is busy" : "No connection. It goes on by itself");
          return true;
        },
        onSuccess: () => resolve(last),
        onError: (error) => {
          const response = error.originalResponse;
          reject(stoppedBy(response?.getStatus() ?? 0, response?.getBody()));
        },
      });
      this.upload.start();
    });
    return filmAt(location);
  }

  /** Stop for a while; what was sent stays. */
  pause() {
    this.upload?.abort();
    this.reject?.(new UploadStopped("Paused.", { paused: true }));
  }

  /** Stop for good and keep nothing. */
  cancel() {
    this.upload?.abort();
    this.reject?.(new UploadStopped("Cancelled.", { cancelled: true }));
    return this.address ? endUpload(this.address) : Promise.resolve();
  }
}

/** The film at an address of the API, which may be open under another name of the machine. */
async function filmAt(location) {
  const answer = await fetch(new URL(location).pathname, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw stoppedBy(answer.status, await answer.text());
  return answer.json();
}

function stoppedBy(status, text) {
  const body = parse(text);
  return new UploadStopped(problemSentence(status, body), { errors: body?.errors, status });
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
  let lastBytes = null;
  let rate = 0;
  return (bytes) => {
    lastBytes ??= bytes; // what was there before this run took no time of it
    const seconds = (performance.now() - lastTime) / 1000;
    if (seconds >= 0.25) {
      const now = Math.max(0, bytes - lastBytes) / seconds;
      rate = rate ? rate * 0.7 + now * 0.3 : now;
      lastTime = performance.now();
      lastBytes = bytes;
    }
    return rate;
  };
}
