import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as commands from './commands'
import { diff } from './diff'
import { type Document, read, write } from './document'
import { apply, begin } from './history'

const ROOT = join(import.meta.dirname, '../../../../..')
const SHIPPED = readdirSync(join(ROOT, 'workflows'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.json'))
  .map((path) => read(readFileSync(join(ROOT, 'workflows', path), 'utf8')))
const START = read(readFileSync(join(ROOT, 'workflows/text_to_image.json'), 'utf8'))
const says = (change: commands.Change): string[] =>
  diff(START, apply(begin(START), '', change).document).map((one) => one.says)
const [STEP, ENTRY] = Object.entries(START.steps ?? {}).find(
  ([, step]) => Object.keys(step.wires ?? {}).length > 0,
) as [string, NonNullable<Document['steps']>[string]]
const [INPUT, WIRE] = Object.entries(ENTRY.wires ?? {})[0] as [string, string]

test('equal workflows have no differences, others always some', () => {
  const any = fc.constantFrom(...SHIPPED)
  fc.assert(
    fc.property(any, any, (one, other) => {
      expect(diff(one, read(write(one)))).toEqual([])
      expect(diff(one, other).length > 0).toBe(write(one) !== write(other))
    }),
  )
})

test('whatever one field of a file holds, its change is told', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (before, after) => {
      const [one, other] = [before, after].map((extra) => ({ ...START, extra }) as unknown as Document)
      expect(diff(one as Document, other as Document).length > 0).toBe(
        JSON.stringify(before) !== JSON.stringify(after),
      )
    }),
  )
})

test('a step that was added or removed is named with its node', () => {
  const more = { ...START, steps: { ...START.steps, blur: { node: 'blur' } } }
  expect(diff(START, more)).toEqual([{ kind: 'added', group: '', step: 'blur', says: 'blur is new (blur).' }])
  expect(diff(more, START)).toEqual([
    { kind: 'removed', group: '', step: 'blur', says: 'blur is gone (blur).' },
  ])
})

test('a value is told with what it was', () => {
  expect(says(commands.setValue('', 'words', 'text', 'a cat'))).toEqual([
    'words · Text: “a red circle on a blue background” → “a cat”',
  ])
})

test('a wire that was cut, and one that comes from elsewhere, are told', () => {
  expect(says(commands.disconnect('', { step: STEP, input: INPUT }))[0]).toContain(
    `is no longer connected to ${WIRE}.`,
  )
  expect(says(commands.connect('', 'elsewhere.out', { step: STEP, input: INPUT }))[0]).toContain(
    `now comes from elsewhere.out, not ${WIRE}.`,
  )
})

test('a rename is one line, with all wires that follow it', () => {
  expect(says(commands.rename('', 'words', 'prompt_text')).filter((one) => !one.includes('layout'))).toEqual([
    'words is now called prompt_text.',
  ])
})

test('what was switched off, moved and titled is told', () => {
  expect(says(commands.setOff('', [STEP], 'bypass'))).toEqual([`${STEP} is bypassed, it was on.`])
  expect(says(commands.setTitle('Other'))[0]).toContain('The title is now “Other”')
  const moved = apply(begin(START), '', commands.move('', { [STEP]: [9999, 1] })).document
  expect(diff(START, moved).map((one) => one.kind)).toEqual(['changed'])
})
