/** How often something is tried. Each wait has jitter, so that the pages of a shop do not come all at once. */
export interface Bounds {
  min: number;
  max: number;
}

/** A timer that is set for longer rings at once. In milliseconds. */
export const longest = 2 ** 31 - 1;

/** The wait after so many faults in a row, in milliseconds: twice as long each time, between half of it and all of it. */
export function backoff(faults: number, { min, max }: Bounds, random: () => number = Math.random): number {
  const whole = Math.min(min * 2 ** Math.min(Math.max(faults - 1, 0), 30), max, longest);
  return whole / 2 + (whole / 2) * random();
}

/** The wait until an answer that holds for so many milliseconds more is asked for again. It is never before its end, unless that lies beyond max. */
export function poll(left: number, { min, max }: Bounds, random: () => number = Math.random): number {
  const whole = Math.min(Math.max(left, min), max);
  return Math.min(whole + (whole / 10) * random(), longest);
}
