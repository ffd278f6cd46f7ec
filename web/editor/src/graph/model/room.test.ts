import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Lying } from './align'
import { GAP, into, room } from './room'

const place = fc.tuple(fc.integer({ min: -900, max: 900 }), fc.integer({ min: -900, max: 900 }))
const size = fc.record({
  width: fc.integer({ min: 20, max: 400 }),
  height: fc.integer({ min: 20, max: 500 }),
})
const cards: fc.Arbitrary<Lying[]> = fc.array(
  fc.tuple(place, size).map(([at, box]) => ({ at, ...box })),
  { maxLength: 40 },
)
const apart = (a: Lying, b: Lying, gap: number) =>
  a.at[0] + a.width + gap <= b.at[0] ||
  b.at[0] + b.width + gap <= a.at[0] ||
  a.at[1] + a.height + gap <= b.at[1] ||
  b.at[1] + b.height + gap <= a.at[1]

test('a new card lies on none that is there, and where it is wanted if that is free', () => {
  fc.assert(
    fc.property(cards, place, size, (there, wanted, box) => {
      const at = room(there, wanted, box)
      expect(there.every((one) => apart(one, { at, ...box }, GAP))).toBe(true)
      if (there.every((one) => apart(one, { at: wanted, ...box }, GAP))) expect(at).toEqual(wanted)
    }),
  )
})

test('cards added one after the other lie side by side, near where they were wanted', () => {
  const there: Lying[] = []
  for (let count = 0; count < 12; count++)
    there.push({ at: room(there, [100, 100], { width: 260, height: 120 }), width: 260, height: 120 })
  for (const [index, one] of there.entries())
    expect(there.slice(index + 1).every((other) => apart(one, other, GAP))).toBe(true)
  expect(Math.max(...there.map(({ at }) => Math.hypot(at[0] - 100, at[1] - 100)))).toBeLessThan(600)
})

test('a place is found among two thousand cards at once', () => {
  const there = Array.from({ length: 2000 }, (_, index): Lying => {
    const [across, down] = [Math.floor(index / 40), index % 40]
    return { at: [across * 300, down * 130], width: 260, height: 110 }
  })
  const began = performance.now()
  const at = room(there, [7000, 2500], { width: 260, height: 200 })
  expect(there.every((one) => apart(one, { at, width: 260, height: 200 }, GAP))).toBe(true)
  expect(performance.now() - began).toBeLessThan(1000)
})

test('what is looked for comes into view with the smallest move, its beginning first', () => {
  expect(into(100, 200, 800)).toBe(0)
  expect(into(700, 200, 800)).toBe(-116)
  expect(into(-50, 200, 800)).toBe(66)
  expect(into(300, 2000, 800)).toBe(-284)
})
