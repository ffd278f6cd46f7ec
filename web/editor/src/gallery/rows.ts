/** Pictures of any shape in rows of equal width, without a gap that nobody wants. */

export interface Shape {
  width?: number
  height?: number
}
export interface Row<T> {
  items: { item: T; width: number }[]
  height: number
}

const NARROWEST = 0.5
const WIDEST = 3

/** Lay out from the first to the last. With `more` to come an unfinished row waits, so that nothing jumps. */
export function rows<T extends Shape>(
  items: readonly T[],
  width: number,
  { height, gap, more }: { height: number; gap: number; more: boolean },
): Row<T>[] {
  const found: Row<T>[] = []
  let row: T[] = []
  let wide = 0 // of the pictures alone, at the height that is wanted
  for (const item of items) {
    row.push(item)
    wide += ratio(item) * height
    const room = width - gap * (row.length - 1)
    if (wide < room) continue
    found.push(stretched(row, (height * room) / wide))
    row = []
    wide = 0
  }
  if (row.length > 0 && !(more && found.length > 0)) found.push(stretched(row, height))
  return found
}

function stretched<T extends Shape>(row: T[], height: number): Row<T> {
  return { items: row.map((item) => ({ item, width: ratio(item) * height })), height }
}

export function ratio({ width, height }: Shape): number {
  return Math.min(WIDEST, Math.max(NARROWEST, width && height ? width / height : 1))
}

/** The place of the item that lies above or below another, nearest to its middle. */
export function beside<T>(rows: readonly Row<T>[], item: T, step: 1 | -1, gap: number): T | null {
  const at = rows.findIndex((row) => row.items.some((one) => one.item === item))
  const next = rows[at + step]
  const here = rows[at]
  if (!here || !next) return null
  const middle = middles(here, gap).find(([one]) => one === item)?.[1] ?? 0
  const near = middles(next, gap).map(([one, x]) => [one, Math.abs(x - middle)] as const)
  return near.reduce((best, one) => (one[1] < best[1] ? one : best))[0]
}

function middles<T>(row: Row<T>, gap: number): (readonly [T, number])[] {
  let left = 0
  return row.items.map(({ item, width }) => {
    const middle = left + width / 2
    left += width + gap
    return [item, middle] as const
  })
}
