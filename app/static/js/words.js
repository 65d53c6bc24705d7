// Numbers and problems in a person's words, in the reader's locale.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** 1536000 → "1.5 MB". */
export function size(bytes) {
  let step = 0;
  let value = Math.max(0, bytes);
  while (value >= 1000 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[step],
    unitDisplay: step ? "short" : "long",
    maximumFractionDigits: value < 10 && step > 1 ? 1 : 0,
  }).format(value);
}

/** Bytes a second → "4.2 MB/s". */
export function speed(bytesPerSecond) {
  return `${size(bytesPerSecond)}/s`;
}

/** 0.426 → "42 %"; never 100 before the end. */
export function percent(share) {
  return `${Math.min(share < 1 ? 99 : 100, Math.floor(Math.max(0, share) * 100))} %`;
}

/** Seconds → "about 3 minutes left". */
export function left(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 55) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} ${minutes === 1 ? "minute" : "minutes"} left`;
  const hours = Math.round(minutes / 30) / 2;
  return `about ${hours} ${hours === 1 ? "hour" : "hours"} left`;
}

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });

/** What is known of a film's turn and end → "3rd in the queue · about 4 minutes left". */
export function foreseen({ queue, eta }) {
  const place = queue ? `${queue.place}${ENDINGS[ORDINALS.select(queue.place)]} in the queue` : "";
  return [place, eta == null ? "" : left(eta)].filter(Boolean).join(" · ");
}

/** "my_holiday-2024.final.mp4" → "my holiday 2024 final". */
export function titleOf(fileName) {
  const stem = fileName.replace(/\.[^.]{1,5}$/, "");
  return stem.replace(/[_.]+/g, " ").replace(/\s+/g, " ").trim() || fileName;
}

/** The sentence of a problem+json answer, or one that fits its status. */
export function problemSentence(status, problem) {
  if (problem?.detail) return problem.detail;
  if (status === 0) return "The connection broke. Your film is still here: try again.";
  if (status === 401) return "You are signed out. Sign in in another tab, then try again.";
  if (status === 413) return "This film is larger than we can take.";
  if (status === 507) return "There is no room left for this film.";
  return "This did not work. Please try again.";
}
