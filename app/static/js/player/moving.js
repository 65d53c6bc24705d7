// Steps in time, by keys, buttons and what the machine asks for.

export const STEP_S = 10;

/** Go so many seconds on, or back where they are negative, within the film once its length is known. */
export function move(video, seconds) {
  if (video.duration > 0) video.currentTime = Math.min(Math.max(0, video.currentTime + seconds), video.duration);
}
