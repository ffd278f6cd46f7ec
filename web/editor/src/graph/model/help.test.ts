import { expect, test } from 'vitest'
import { details, limits } from './help'
import type { InputSpec, NodeSpec } from './nodes'

const input = (change: Partial<InputSpec>): InputSpec => ({
  name: 'x',
  port: { type: 'scalar', name: 'float' },
  schema: {},
  required: false,
  ...change,
})

test('an input says what goes in, within which limits, and what counts without', () => {
  const whole = { type: 'scalar', name: 'int' } as const
  expect(limits(input({ port: whole, schema: { minimum: 1, maximum: 16384 }, default: 20 }))).toBe(
    'whole number, 1 to 16,384, 20 if nothing is given',
  )
  expect(limits(input({ port: { ...whole, ge: 8, multiple_of: 8 }, required: true }))).toBe(
    'whole number, 8 or more in steps of 8, needed',
  )
  expect(limits(input({ schema: { 'x-widget': 'seed', minimum: 0 }, port: whole, default: 0 }))).toBe(
    'seed, 0 if nothing is given',
  )
  const either = { type: 'union', options: [whole, { type: 'none' }] } as const
  expect(limits(input({ port: either as unknown as InputSpec['port'], default: null }))).toBe(
    'whole number, may be left out',
  )
  expect(limits(input({ port: { type: 'menu', options: ['a', 'b'] }, default: 'a' }))).toBe(
    'one of a, b, a if nothing is given',
  )
})

test('details are the help after its first line, in paragraphs', () => {
  const help = 'Scale a picture.\n\nWith one side given,\nthe other follows.\n\nSharp.'
  expect(details({ help } as NodeSpec)).toEqual(['With one side given, the other follows.', 'Sharp.'])
  expect(details({ help: 'Scale.' } as NodeSpec)).toEqual([])
})
