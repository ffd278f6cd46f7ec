import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { png } from './png'
import { type Act, type Acts, done, feather, NONE, redone, undone, width } from './strokes'

const act = fc.constantFrom<Act>(
  { does: 'invert' },
  { does: 'clear' },
  { does: 'brush', size: 8, points: [[1, 2, 0.5]] },
  { does: 'lasso', takes: false, points: [[0, 0, 0]] },
)

test('whatever was painted is undone and done again', () => {
  fc.assert(
    fc.property(fc.array(act), (all) => {
      const end = all.reduce<Acts>(done, NONE)
      const start = all.reduce<Acts>(undone, end)
      expect(start.past).toEqual([])
      expect(all.reduce<Acts>(redone, start)).toEqual(end)
    }),
  )
})

test('what is painted after an undo takes the place of what was undone', () => {
  const acts = done(undone(done(NONE, { does: 'invert' })), { does: 'clear' })
  expect(acts).toEqual({ past: [{ does: 'clear' }], future: [] })
})

test('a pen draws half as wide at its lightest touch', () => {
  expect([width(20, 0), width(20, 0.5), width(20, 1)]).toEqual([10, 15, 20])
})

test('a soft edge goes from all to nothing and leaves what is far as it was', () => {
  const side = 40
  const mask = new Uint8ClampedArray(side * side).map((_, at) => (at % side < side / 2 ? 255 : 0))
  const soft = feather(mask, side, side, 6)
  const middle = [...soft.subarray(20 * side, 21 * side)]
  expect([middle[0], middle[39]]).toEqual([255, 0])
  expect(middle).toEqual([...middle].sort((a, b) => b - a))
  expect(Math.abs((middle[19] ?? 0) - 128)).toBeLessThan(32)
  expect(new Set(middle).size).toBeGreaterThan(6)
  expect(feather(mask, side, side, 0)).toBe(mask)
})

test('a file keeps the colours of what is transparent', async () => {
  const pixels = new Uint8ClampedArray([255, 128, 3, 0, 1, 2, 3, 255])
  const data = Buffer.from(await (await png(pixels, 2, 1, 4)).arrayBuffer())
  expect(data.subarray(1, 4).toString()).toBe('PNG')
  expect([data.readUInt32BE(16), data.readUInt32BE(20), data[25]]).toEqual([2, 1, 6])
  const length = data.readUInt32BE(33)
  expect([...inflateSync(data.subarray(41, 41 + length))]).toEqual([0, ...pixels])
})
