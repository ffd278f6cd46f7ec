import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { read } from './document'
import type { NodeSpec, Nodes } from './nodes'
import type { Json, Port } from './ports'
import { begin, type Choice, labelled, numbers, type Place, places, ranged, valuesOf } from './sweep'

const ROOT = join(import.meta.dirname, '../../../../..')
const START = read(readFileSync(join(ROOT, 'workflows/text_to_image.json'), 'utf8'))

const node = (id: string, inputs: Record<string, [Port, Record<string, Json>?]>): [string, NodeSpec] => [
  id,
  {
    id,
    version: 1,
    title: id,
    help: '',
    category: '',
    kind: 'pure',
    lane: 'io',
    outputs: [],
    inputs: Object.entries(inputs).map(([name, [port, schema = {}]]) => ({
      name,
      port,
      schema,
      required: false,
    })),
  },
]
const INT: Port = { type: 'scalar', name: 'int' }
const FLOAT: Port = { type: 'scalar', name: 'float' }
const TEXT: Port = { type: 'scalar', name: 'str' }
const METHODS: Port = { type: 'menu', options: ['euler', 'heun', 'ddim'] }
const NODES: Nodes = new Map([
  node('sample', {
    steps: [INT, { minimum: 1, maximum: 150 }],
    guidance: [FLOAT],
    method: [METHODS],
    seed: [INT, { 'x-widget': 'seed' }],
    model: [{ type: 'class', ancestry: ['Denoiser'] }],
  }),
  node('encode_text', { text: [TEXT] }),
])
const found = places(START, NODES)
const at = (to: string) => found.find((one) => one.to === to) as Place
const meant = (to: string, change: Partial<Choice> = {}) => valuesOf({ ...begin(at(to)), ...change }, at(to))

test('what can be varied is every typed input that no wire feeds, under the name of its form', () => {
  expect(found.map(({ to, title, kind }) => [to, title, kind])).toEqual([
    ['words.text', 'Prompt', 'text'],
    ['avoid.text', 'Avoid', 'text'],
    ['sample.steps', 'Steps', 'number'],
    ['sample.guidance', 'Guidance', 'number'],
    ['sample.method', 'Method', 'menu'],
    ['sample.seed', 'Seed', 'seed'],
  ])
})

test('a form begins around what there is', () => {
  expect(meant('sample.steps')).toEqual([10, 20, 30])
  expect(meant('sample.guidance')).toEqual([2, 4, 6])
  expect(meant('sample.seed')).toEqual([7, 8, 9, 10])
  expect(meant('sample.method')).toEqual(['euler', 'heun', 'ddim'])
  expect(meant('words.text')).toEqual(['a red circle on a blue background'])
})

test('what is written is read as it is meant', () => {
  expect(meant('sample.steps', { how: 'list', text: '5, 10 2.5;x 20 5' })).toEqual([5, 10, 20])
  expect(meant('words.text', { text: 'a cat\n\n  a dog \na cat' })).toEqual(['a cat', 'a dog'])
  expect(meant('sample.method', { chosen: ['ddim', 'euler'] })).toEqual(['euler', 'ddim'])
  expect(numbers('-1 .5 1e3', false)).toEqual([-1, 0.5, 1000])
})

test('a range begins and ends where it says, evenly and without doubles', () => {
  expect(ranged(1, 2, 5, false)).toEqual([1, 1.25, 1.5, 1.75, 2])
  expect(ranged(1, 3, 9, true)).toEqual([1, 2, 3])
  const whole = fc.integer({ min: -500, max: 500 })
  fc.assert(
    fc.property(whole, whole, fc.integer({ min: 2, max: 40 }), (from, to, count) => {
      const values = ranged(from, to, count, true)
      expect(values[0]).toBe(from)
      expect(values.at(-1)).toBe(to)
      expect(new Set(values).size).toBe(values.length)
    }),
  )
})

test('every value has a label', () => {
  expect([null, true, 1.5, 'euler'].map(labelled)).toEqual(['automatic', 'on', '1.5', 'euler'])
})
