/** Cards brought into line. */
import type { At } from './commands'

export interface Lying {
  at: At
  width: number
  height: number
}
export type Edge = 'left' | 'right' | 'top' | 'bottom'

/** New places so that all share one edge: the outermost. */
export function align(cards: Record<string, Lying>, edge: Edge): Record<string, At> {
  const across = edge === 'left' || edge === 'right'
  const end = edge === 'right' || edge === 'bottom'
  const far = ({ at, width, height }: Lying) =>
    across ? at[0] + (end ? width : 0) : at[1] + (end ? height : 0)
  const all = Object.values(cards).map(far)
  const line = end ? Math.max(...all) : Math.min(...all)
  return Object.fromEntries(
    Object.entries(cards).map(([name, card]): [string, At] => {
      const by = line - far(card)
      return [name, across ? [card.at[0] + by, card.at[1]] : [card.at[0], card.at[1] + by]]
    }),
  )
}

/** New places with equal gaps, from left to right or from top to bottom; the outermost stay. */
export function distribute(cards: Record<string, Lying>, across: boolean): Record<string, At> {
  const axis = across ? 0 : 1
  const size = (card: Lying) => (across ? card.width : card.height)
  const sorted = Object.entries(cards).sort(([, a], [, b]) => a.at[axis] - b.at[axis])
  const [first, last] = [sorted[0]?.[1], sorted.at(-1)?.[1]]
  if (!first || !last || sorted.length < 3) return {}
  const room = last.at[axis] + size(last) - first.at[axis]
  const gap = (room - sorted.reduce((sum, [, card]) => sum + size(card), 0)) / (sorted.length - 1)
  let next = first.at[axis]
  return Object.fromEntries(
    sorted.map(([name, card]): [string, At] => {
      const place: At = across ? [Math.round(next), card.at[1]] : [card.at[0], Math.round(next)]
      next += size(card) + gap
      return [name, place]
    }),
  )
}

/** The box around cards. */
export function around(cards: readonly Lying[]): { at: At; size: At } {
  const left = Math.min(...cards.map(({ at }) => at[0]))
  const top = Math.min(...cards.map(({ at }) => at[1]))
  return {
    at: [left, top],
    size: [
      Math.max(...cards.map(({ at, width }) => at[0] + width)) - left,
      Math.max(...cards.map(({ at, height }) => at[1] + height)) - top,
    ],
  }
}
