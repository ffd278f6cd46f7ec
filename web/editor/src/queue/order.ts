/** The order of the queue, as the server will take it. */

import type { Known } from '../common/runs'
import { words } from '../common/words'

export interface Parts {
  running: Known[]
  /** In the order in which their turns come. */
  pending: Known[]
  /** The one that ended last first. */
  finished: Known[]
}

export function parts(runs: readonly Known[]): Parts {
  return {
    running: runs.filter(({ state }) => state === 'running' || state === 'waiting'),
    pending: runs
      .filter(({ state }) => state === 'queued' || state === 'held')
      .sort((a, b) => b.priority - a.priority || a.position - b.position),
    finished: runs
      .filter(({ state }) => state === 'done' || state === 'failed' || state === 'cancelled')
      .sort((a, b) => (b.finished ?? 0) - (a.finished ?? 0)),
  }
}

/** What to ask of the server so that a run comes to a place in the row: 0 is the first. Null if it is there. */
export function placed(
  ids: readonly string[],
  id: string,
  place: number,
): { before: string } | { after: string } | null {
  const left = ids.filter((one) => one !== id)
  const to = Math.max(0, Math.min(place, left.length))
  if (ids[to] === id) return null
  const [before, after] = [left[to], left[to - 1]]
  return before !== undefined ? { before } : after !== undefined ? { after } : null
}

/** A place in the queue in words, from 0. */
export function inLine(place: number): string {
  return words().running.inLine(place + 1)
}

/** Each of these as the row will show them while the server is being asked. */
export function moved<T>(row: readonly T[], from: number, to: number): T[] {
  const left = [...row]
  left.splice(to, 0, ...left.splice(from, 1))
  return left
}
