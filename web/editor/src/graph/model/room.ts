/** Where a new card goes: beside what lies there, never on top of it. */
import type { Lying } from './align'
import type { At } from './commands'

export const GAP = 24

/** The free place for a box of this size that is nearest to where it is wanted. */
export function room(
  cards: readonly Lying[],
  wanted: At,
  { width, height }: { width: number; height: number },
): At {
  const [x, y]: At = [Math.round(wanted[0]), Math.round(wanted[1])]
  const sides = cards.flatMap(({ at, width: wide }) => [
    Math.floor(at[0] - width - GAP),
    Math.ceil(at[0] + wide + GAP),
  ])
  let best: At | null = null
  let least = Number.POSITIVE_INFINITY
  for (const left of [x, ...sides.sort((a, b) => Math.abs(a - x) - Math.abs(b - x))]) {
    if (Math.abs(left - x) >= least) break
    const top = free(cards, left, y, width, height)
    const far = Math.hypot(left - x, top - y)
    if (far < least) [best, least] = [[left, top], far]
  }
  return best ?? [x, y]
}

/** The nearest free place in the column that begins at `left`. */
function free(cards: readonly Lying[], left: number, y: number, width: number, height: number): number {
  const taken = cards
    .filter(({ at, width: wide }) => at[0] - GAP < left + width && left < at[0] + wide + GAP)
    .map(({ at, height: high }): [number, number] => [
      Math.floor(at[1] - height - GAP),
      Math.ceil(at[1] + high + GAP),
    ])
  let [up, down] = [y, y]
  for (const [from, to] of taken.sort((a, b) => a[0] - b[0])) if (from < down && down < to) down = to
  for (const [from, to] of taken.sort((a, b) => b[1] - a[1])) if (from < up && up < to) up = from
  return down - y <= y - up ? down : up
}

/** How far to move so that a stretch lies within `space`, less what is kept free at its ends; its beginning first. */
export function into(from: number, size: number, space: number, before = 16, after = before): number {
  const over = from + size - (space - after)
  const by = over > 0 ? -over : 0
  return from + by < before ? before - from : by
}
