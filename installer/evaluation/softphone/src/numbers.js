// Parses typed numbers, and formats durations.

export const ECHO_TEST = "*43";

/** The diallable number in `text`: digits, * # and a leading +; null if empty or invalid. */
export function dialable(text) {
  const number = text.replace(/[\s().\-/]/g, "");
  return /^\+?[0-9*#]{1,32}$/.test(number) ? number : null;
}

/** Seconds as m:ss, or h:mm:ss. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
