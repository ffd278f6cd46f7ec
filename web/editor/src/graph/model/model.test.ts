import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { align, distribute } from './align'
import * as commands from './commands'
import { type Document, graphAt, NotAWorkflow, read, write } from './document'
import { dissolveGroup, makeGroup } from './grouping'
import { bodiesOf, trail } from './groups'
import { apply, begin, type History, redo, settle, undo } from './history'
import { along, crosses, withStop } from './lines'
import type { NodeSpec } from './nodes'
import { type Port, suits } from './ports'

const ROOT = join(import.meta.dirname, '../../../../..')
const SHIPPED = readdirSync(join(ROOT, 'workflows'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.json'))
  .map((path) => [path, readFileSync(join(ROOT, 'workflows', path), 'utf8')] as const)
const PICTURE: Port = { type: 'class', ancestry: ['Image', 'Value'] }
const BLUR: NodeSpec = {
  id: 'blur',
  version: 1,
  title: 'Blur',
  help: '',
  category: 'image',
  kind: 'pure',
  lane: 'cpu',
  inputs: [{ name: 'image', port: PICTURE, schema: {}, required: true }],
  outputs: [{ name: 'out', port: PICTURE }],
}

describe('a workflow file', () => {
  test.each(SHIPPED)('%s is written as it was read, to the byte', (_, text) => {
    expect(write(read(text))).toBe(text)
  })

  test.each([
    ['{', /no JSON/],
    ['[]', /is an object/],
    ['{"nodes": [], "links": []}', /ComfyUI workflow \(its editor format\)/],
    ['{"3": {"class_type": "KSampler", "inputs": {}}}', /ComfyUI workflow \(its API format\)/],
    ['{"tessera": 2, "steps": {}}', /format 2/],
    ['{"tessera": 1, "steps": []}', /"steps"/],
  ])('what is none says what it is: %s', (text, said) => {
    expect(() => read(text)).toThrow(NotAWorkflow)
    expect(() => read(text)).toThrow(said)
  })
})

describe('whether an output may feed an input', () => {
  const cases: { source: Port; target: Port; fit: string | null }[] = JSON.parse(
    readFileSync(join(ROOT, 'tests/unit/wires.json'), 'utf8'),
  )
  test.each(cases)('$source into $target: $fit', ({ source, target, fit: expected }) => {
    expect(suits(source, target)).toBe(expected)
  })
})

type Move = (history: History) => History
const pick = <T>(all: T[], at: number): T | undefined => all[at % Math.max(1, all.length)]
const names = (document: Document, group = '') => Object.keys(graphAt(document, group).steps ?? {})

/** One thing that a person might do, chosen by three numbers. */
const moves: ((a: number, b: number, c: number) => Move)[] = [
  (a, b) => (h) => apply(h, 'Add', commands.add(h.document, '', BLUR, [a, b])[0]),
  (a) => (h) =>
    apply(
      h,
      'Remove',
      commands.remove(
        '',
        [pick(names(h.document), a)].filter((n) => n !== undefined),
      ),
    ),
  (a, b) =>
    on(a, (name, h) =>
      commands.connect('', `${pick(names(h.document), b)}.out`, { step: name, input: 'image' }),
    ),
  (a) => on(a, (name) => commands.disconnect('', { step: name, input: 'image' })),
  (a, b, c) => on(a, (name) => commands.setValue('', name, c % 2 ? 'text' : 'other', b), 'value'),
  (a, b) => on(a, (name) => commands.setValue('', name, b % 2 ? 'text' : 'other', undefined)),
  (a, b, c) => on(a, (name) => commands.move('', { [name]: [b, c] })),
  (a, b) => on(a, (name) => commands.setOff('', [name], b % 3 ? (b % 2 ? 'mute' : 'bypass') : undefined)),
  (a, b) =>
    on(a, (name, h) => (names(h.document).includes(`n${b}`) ? () => {} : commands.rename('', name, `n${b}`))),
  (a, b) => on(a, (name) => commands.expose('', `in${b % 4}`, `${name}.text`)),
  (a) => on(a, (name) => commands.exposeOutput('', `out${a % 3}`, `${name}.out`)),
  (a) => (h) => apply(h, 'Hide', commands.hideInput('', `in${a % 4}`)),
  (a, b) => (h) => apply(h, 'Reorder', commands.reorderInput('', `in${a % 4}`, b % 5 ? `in${b % 4}` : null)),
  (a) => (h) => apply(h, 'Title', commands.setTitle(`T${a}`), 'title'),
  (a) => on(a, (name) => commands.dissolve('', name, null)),
  (a, b) => on(a, (name) => commands.setReroutes('', `${name}.image`, [[b, b]])),
  (a, b) => (h) =>
    names(h.document).length === 0
      ? h
      : apply(
          h,
          'Group',
          makeGroup(h.document, '', names(h.document).slice(a % 3, 2 + (b % 4)), [a, b]).change,
        ),
  (a) => on(a, (name, h) => dissolveGroup(h.document, '', name)),
  (a, b) => (h) =>
    apply(
      h,
      'Frame',
      commands.setFrame('', `f${a % 3}`, b % 3 ? { at: [a, b], size: [9, 9], title: '' } : null),
    ),
  () => settle,
]

function on(
  a: number,
  change: (name: string, history: History) => commands.Change,
  field: string | null = null,
): Move {
  return (history) => {
    const name = pick(names(history.document), a)
    return name === undefined ? history : apply(history, 'Do', change(name, history), field)
  }
}

const session = fc.array(fc.tuple(fc.nat({ max: moves.length - 1 }), fc.nat(50), fc.nat(50), fc.nat(50)), {
  minLength: 1,
  maxLength: 500,
  size: 'max',
})

test('any 500 things done are undone to the byte, and done again to the byte', () => {
  const start = SHIPPED.find(([path]) => path === 'text_to_image.json')?.[1] ?? ''
  fc.assert(
    fc.property(session, (steps) => {
      let history = begin(read(start))
      for (const [which, a, b, c] of steps)
        history = (moves[which] as (typeof moves)[number])(a, b, c)(history)
      const end = write(history.document)
      const deep = history.past.length < 300
      while (history.past.length > 0) history = undo(history)
      if (deep) expect(write(history.document)).toBe(start)
      while (history.future.length > 0) history = redo(history)
      expect(write(history.document)).toBe(end)
      expectWhole(history.document)
    }),
    { numRuns: 40 },
  )
})

/** No wire, exposed input or place names a step that is not there. */
function expectWhole(document: Document): void {
  const there = new Set(names(document))
  for (const step of Object.values(document.steps ?? {}))
    for (const wire of Object.values(step.wires ?? {})) expect(there).toContain(wire.split('.')[0])
  for (const input of Object.values(document.inputs ?? {}))
    for (const port of input.to) expect(there).toContain(port.split('.')[0])
  for (const wire of Object.values(document.outputs ?? {})) expect(there).toContain(wire.split('.')[0])
  for (const name of Object.keys(document.layout?.['']?.steps ?? {})) expect(there).toContain(name)
}

test('typing into one field is undone at once, into two fields in two steps', () => {
  let history = begin(read(SHIPPED.find(([path]) => path === 'text_to_image.json')?.[1] ?? ''))
  for (const text of ['a', 'ab', 'abc'])
    history = apply(history, 'Type', commands.setValue('', 'words', 'text', text), 'words.text')
  history = apply(history, 'Type', commands.setValue('', 'avoid', 'text', 'no'), 'avoid.text')
  expect(history.past).toHaveLength(2)
  expect(undo(undo(history)).document.steps?.words?.values?.text).toBe('a red circle on a blue background')
})

describe('groups', () => {
  const document = read(SHIPPED.find(([path]) => path === 'text_to_image.json')?.[1] ?? '')

  test('of any steps can be made and opened up again, and every wire is as it was', () => {
    const all = names(document)
    fc.assert(
      fc.property(fc.subarray(all, { minLength: 1 }), (chosen) => {
        const made = makeGroup(document, '', chosen, [0, 0])
        const inside = apply(begin(document), 'Group', made.change).document
        expectWhole(inside)
        expect(names(inside).sort()).toEqual(
          [...all.filter((one) => !chosen.includes(one)), made.step].sort(),
        )
        const out = apply(begin(inside), 'Open', dissolveGroup(inside, '', made.step)).document
        expect(out.steps).toEqual(document.steps)
        expect(out.outputs).toEqual(document.outputs)
        expect(out.groups ?? {}).toEqual(document.groups ?? {})
        for (const [name, { to }] of Object.entries(document.inputs ?? {}))
          expect([...(out.inputs?.[name]?.to ?? [])].sort()).toEqual([...to].sort())
      }),
    )
  })

  test('in loops reach out for steps outside and lead back to where they are used', () => {
    const loop = read(SHIPPED.find(([path]) => path === 'loop_example.json')?.[1] ?? '')
    const [body] = bodiesOf(loop, loop.steps?.savings ?? { node: '' })
    expect(body).toMatchObject({ title: 'One year', takes: ['savings', 'year'], gives: ['savings'] })
    expect(body?.captures.sort()).toEqual(['growth.out', 'payment.out', 'rise.out'])
    expect(trail(loop, 'year')).toEqual(['', 'year'])
  })
})

describe('lines', () => {
  const point = fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: -500, max: 500 }))
  const bends = fc.constantFrom('spline', 'straight', 'step')

  test('begin at their output, end at their input and pass every stop', () => {
    fc.assert(
      fc.property(point, point, fc.array(point, { maxLength: 3 }), bends, (from, to, by, bend) => {
        const points = along(from, to, by, bend)
        for (const stop of [from, ...by, to])
          expect(points.some(([x, y]) => Math.hypot(x - stop[0], y - stop[1]) < 1e-6)).toBe(true)
      }),
    )
  })

  test('are crossed where they are drawn, in every style', () => {
    const cut = (bend: 'spline' | 'straight' | 'step', at: [number, number]) =>
      crosses(along([0, 0], [200, 400], [], bend), [at[0] - 5, at[1] + 1], [at[0] + 5, at[1] - 1])
    expect((['spline', 'straight', 'step'] as const).map((bend) => cut(bend, [50, 100]))).toEqual([
      false,
      true,
      false,
    ])
    expect(cut('step', [100, 60])).toBe(true)
    expect(cut('straight', [100, 60])).toBe(false)
  })

  test('are crossed by a stroke through them and not by one beside them', () => {
    const line = along([0, 0], [200, 0])
    expect(crosses(line, [100, -20], [100, 20])).toBe(true)
    expect(crosses(line, [100, 10], [100, 20])).toBe(false)
  })

  test('are led by a new stop where the detour is smallest', () => {
    expect(withStop([0, 0], [300, 0], [[200, 0]], [100, 5])).toEqual([
      [100, 5],
      [200, 0],
    ])
  })
})

describe('cards in line', () => {
  const cards = fc.dictionary(
    fc.string({ minLength: 1 }),
    fc.record({
      at: fc.tuple(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 900 })),
      width: fc.integer({ min: 10, max: 300 }),
      height: fc.integer({ min: 10, max: 300 }),
    }),
    { minKeys: 3 },
  )

  test('share their edge, and keep the other way', () => {
    fc.assert(
      fc.property(cards, (all) => {
        const places = Object.entries(align(all, 'right'))
        expect(new Set(places.map(([name, at]) => at[0] + (all[name]?.width ?? 0))).size).toBe(1)
        for (const [name, at] of places) expect(at[1]).toBe(all[name]?.at[1])
      }),
    )
  })

  test('have equal gaps, and the first stays', () => {
    const box = { width: 10, height: 10 }
    expect(
      distribute({ a: { ...box, at: [0, 0] }, b: { ...box, at: [15, 5] }, c: { ...box, at: [60, 0] } }, true),
    ).toEqual({ a: [0, 0], b: [30, 5], c: [60, 0] })
  })
})

test('a step put into a wire feeds what the wire fed, and cutting the wire forgets its way', () => {
  const document = read(SHIPPED.find(([path]) => path === 'text_to_image.json')?.[1] ?? '')
  const [port, wire] = Object.entries(document.steps?.save?.wires ?? {})[0] ?? ['', '']
  const [added, name] = commands.add(document, '', BLUR, [0, 0])
  const to = { step: 'save', input: port }
  const into = commands.insert('', name, { input: 'image', output: 'out' }, to)
  const done = apply(begin(document), 'Insert', commands.all(added, into)).document
  expect(done.steps?.[name]?.wires).toEqual({ image: wire })
  expect(done.steps?.save?.wires?.[port]).toBe(`${name}.out`)
  const led = apply(begin(done), 'Lead', commands.setReroutes('', `save.${port}`, [[1, 2]])).document
  expect(led.layout?.['']?.reroutes).toEqual({ [`save.${port}`]: [[1, 2]] })
  const cut = apply(begin(led), 'Cut', commands.disconnect('', to)).document
  expect(cut.layout?.['']?.reroutes).toBeUndefined()
})
