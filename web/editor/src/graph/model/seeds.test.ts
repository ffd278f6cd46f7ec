import { expect, test } from 'vitest'
import type { Document } from './document'
import { apply, begin } from './history'
import type { NodeSpec } from './nodes'
import { type After, nextSeeds, seeds } from './seeds'

const SAMPLE = {
  id: 'sample',
  version: 1,
  inputs: [
    { name: 'seed', port: { type: 'int' }, schema: { 'x-widget': 'seed' }, required: false, default: 3 },
    { name: 'steps', port: { type: 'int' }, schema: {}, required: false, default: 20 },
  ],
  outputs: [],
} as unknown as NodeSpec
const NODES = new Map([['sample', SAMPLE]])
const DOCUMENT: Document = {
  tessera: 1,
  steps: {
    a: { node: 'sample', values: { seed: 7 } },
    b: { node: 'sample' },
    c: { node: 'sample', values: { seed: 'random' } },
    d: { node: 'sample', wires: { seed: 'a.seed' } },
  },
  groups: { g: { steps: { e: { node: 'sample', values: { seed: 7 } } } } },
}
const after = (how: After, runs = 1, document = DOCUMENT) => {
  const change = nextSeeds(document, NODES, how, runs, () => 99)
  return change && seeds(apply(begin(document), '', change).document, NODES).map(({ value }) => value)
}

test('seeds are those typed as numbers, also in groups; wired and random ones are left alone', () => {
  expect(seeds(DOCUMENT, NODES).map(({ group, step, value }) => [group, step, value])).toEqual([
    ['', 'a', 7],
    ['', 'b', 3],
    ['g', 'e', 7],
  ])
})

test('they stay, go on by as many runs as there were, or are rolled anew', () => {
  expect(after('keep')).toBeNull()
  expect(after('step')).toEqual([8, 4, 8])
  expect(after('step', 4)).toEqual([11, 7, 11])
  expect(after('random')).toEqual([99, 99, 99])
  expect(after('step', 1, { tessera: 1, steps: {} })).toBeNull()
})
