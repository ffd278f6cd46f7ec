import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Known } from '../common/runs'
import { moved, parts, placed } from './order'

const run = (id: string, state: string, more: Partial<Known> = {}) =>
  ({ id, state, priority: 0, position: 0, finished: null, ...more }) as Known

test('whose turn comes sooner stands higher; what ended last comes first', () => {
  const found = parts([
    run('a', 'queued', { position: 3 }),
    run('b', 'held', { position: 1 }),
    run('c', 'queued', { position: 9, priority: 5 }),
    run('d', 'running'),
    run('e', 'done', { finished: 1 }),
    run('f', 'failed', { finished: 2 }),
  ])
  expect(found.pending.map(({ id }) => id)).toEqual(['c', 'b', 'a'])
  expect(found.running.map(({ id }) => id)).toEqual(['d'])
  expect(found.finished.map(({ id }) => id)).toEqual(['f', 'e'])
})

test('what is asked of the server brings a run exactly to its place', () => {
  const row = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(row, fc.nat(), fc.nat(10), (ids, which, place) => {
      const id = ids[which % ids.length] as string
      const to = Math.min(place, ids.length - 1)
      const asked = placed(ids, id, place)
      const left = ids.filter((one) => one !== id)
      const at = !asked
        ? ids.indexOf(id)
        : 'before' in asked
          ? left.indexOf(asked.before)
          : left.indexOf(asked.after) + 1
      expect(at).toBe(to)
      expect(moved(ids, ids.indexOf(id), to)).toEqual([...left.slice(0, to), id, ...left.slice(to)])
    }),
  )
})
