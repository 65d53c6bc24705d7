// Steps in time, by keys, buttons and what the machine asks for.

export const STEP_S = 10;

/** Go so many seconds on, or back where they are negative, within the film. */
export function move(video, seconds) {
  video.currentTime = Math.min(Math.max(0, video.currentTime + seconds), video.duration || 0);
}
