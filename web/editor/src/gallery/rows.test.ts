import * as check from 'fast-check'
import { expect, test } from 'vitest'
import { beside, rows } from './rows'

const shape = check.record({
  width: check.integer({ min: 1, max: 4000 }),
  height: check.integer({ min: 1, max: 4000 }),
})
const GAP = 8

test('every row but the last fills the width, and nothing is lost', () => {
  check.assert(
    check.property(
      check.array(shape, { maxLength: 80 }),
      check.integer({ min: 320, max: 2000 }),
      (items, width) => {
        const found = rows(items, width, { height: 200, gap: GAP, more: false })
        expect(found.flatMap((row) => row.items.map(({ item }) => item))).toEqual(items)
        for (const row of found.slice(0, -1)) {
          const wide = row.items.reduce((sum, one) => sum + one.width, GAP * (row.items.length - 1))
          expect(wide).toBeCloseTo(width, 3)
          expect(row.height).toBeLessThanOrEqual(200)
        }
      },
    ),
  )
})

test('an unfinished row waits for what follows it', () => {
  const items = Array.from({ length: 5 }, () => ({ width: 1, height: 1 }))
  const laid = (more: boolean) =>
    rows(items, 416, { height: 200, gap: GAP, more }).map((row) => row.items.length)
  expect(laid(false)).toEqual([3, 2])
  expect(laid(true)).toEqual([3])
})

test('the arrow keys find what lies above and below', () => {
  const items = Array.from({ length: 6 }, (_, index) => ({ width: 1, height: 1, index }))
  const laid = rows(items, 616, { height: 200, gap: GAP, more: false })
  const [first, second] = [items[1], items[4]]
  if (!first || !second) throw new Error('there are six')
  expect(laid.map((row) => row.items.length)).toEqual([3, 3])
  expect(beside(laid, first, 1, GAP)?.index).toBe(4)
  expect(beside(laid, second, -1, GAP)?.index).toBe(1)
  expect(beside(laid, second, 1, GAP)).toBe(null)
})
