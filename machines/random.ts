/** Small helpers of the charts that draw lots; the randomness comes in by `input`. */

/** In random order; `fraction` is uniform in [0, 1). */
export function shuffle<T>(values: readonly T[], fraction: () => number): readonly T[] {
  const shuffled = [...values];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const other = Math.floor(fraction() * (i + 1));
    [shuffled[i], shuffled[other]] = [shuffled[other] as T, shuffled[i] as T];
  }
  return shuffled;
}

export const difference = <T>(values: readonly T[], without: readonly (T | undefined)[]): readonly T[] => values.filter((value) => !without.includes(value));

/** `first`, doubled with each further one (`times` counts from 1), at most `most`. */
export const growing = (first: number, times: number, most: number): number => Math.min(most, first * 2 ** Math.min(Math.max(0, times - 1), 30));
