const INITIAL_MS = 250;
const MAX_MS = 15_000;

/** How long to wait before the attempt of this number, from 1: growing, and half of it left to chance (0 to 1). */
export function backoffMs(attempt: number, chance: number): number {
  const longest = Math.min(INITIAL_MS * 2 ** Math.min(attempt - 1, 20), MAX_MS);
  return longest / 2 + (longest / 2) * chance;
}
