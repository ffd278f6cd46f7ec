import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { curl, example, sections } from './app'
import { expose, renameInput, reorderOutput, setInput, setPublished } from './commands'
import { type Document, empty, read } from './document'
import { fields } from './form'
import { apply, begin } from './history'
import { named, readerOf, request, unknown, wanted, where } from './models'
import type { NodeSpec } from './nodes'
import type { Json, Port } from './ports'

const FILE = join(import.meta.dirname, '../../../../../workflows/text_to_image.json')
const START = read(readFileSync(FILE, 'utf8'))
const TEXT: Port = { type: 'scalar', name: 'str' }
const ENCODER: Port = { type: 'class', ancestry: ['TextEncoder', 'Model', 'Value'] }

function node(id: string, inputs: [string, Port, Record<string, Json>, Json?][]): [string, NodeSpec] {
  const ports = inputs.map(([name, port, schema, value]) => ({
    name,
    port,
    schema,
    required: value === undefined,
    ...(value === undefined ? {} : { default: value }),
  }))
  const about = { version: 1, title: id, help: '', category: '', kind: 'pure', lane: 'cpu' } as const
  return [id, { id, ...about, inputs: ports, outputs: [] }]
}
const NODES = new Map([
  node('load_model', [['model', TEXT, { 'x-widget': 'model', 'x-kind': 'model' }, 'starter']]),
  node('encode_text', [
    ['encoder', ENCODER, {}],
    ['text', TEXT, { 'x-widget': 'text' }],
  ]),
  node('sample', [['steps', { type: 'scalar', name: 'int' }, { minimum: 1, maximum: 150 }, 20]]),
])

function changed(...changes: ((document: Document) => void)[]): Document {
  return changes.reduce((history, change) => apply(history, 'Do', change), begin(START)).document
}

test('a prompt is read by the model that its text encoder comes from', () => {
  expect(readerOf(START, NODES, 'words.text')).toEqual({ name: 'starter', input: 'model' })
  expect(readerOf(START, NODES, 'sample.steps')).toBeNull()
})

test('a model that is not here is told once, with what fetches it', () => {
  const all = named(START, NODES)
  expect(wanted(all, [{ name: 'starter', kind: 'model' }], [])).toEqual([])
  const other = all.map((one) => ({ ...one, name: 'sd15' }))
  const short = { name: 'sd15', kind: 'model', source: 'https://there', licence: 'open', bytes: 5 }
  const [found, ...more] = wanted([...other, ...other], [], [short])
  expect(more).toEqual([])
  expect(found?.short).toEqual(short)
  expect(found?.by.map(where)).toEqual(['model', 'model'])
  expect(found && request(found)).toEqual({ what: 'sd15', kind: 'model', name: '' })
})

test('a name that nobody knows is asked of nobody, a repository of the hub', () => {
  const one = { kind: 'lora', by: [], short: null }
  expect(request({ ...one, name: 'ink' })).toBeNull()
  expect(request({ ...one, name: 'org/ink' })).toEqual({ what: 'org/ink', kind: 'lora', name: '' })
})

test('nodes that are not here are told with the pack they come from', () => {
  const strange = {
    ...START,
    steps: { a: { node: 'film/grain' }, b: { node: 'film/grain' }, c: { node: 'flow/x' } },
  }
  expect(unknown(strange, NODES)).toEqual([{ node: 'film/grain', pack: 'film', by: ['a', 'b'] }])
})

test('inputs stand under headings, within their own limits', () => {
  const document = changed(
    setInput('', 'steps', { section: 'Quality', least: 4, most: 30 }),
    setInput('', 'prompt', { help: 'Say it' }),
  )
  const form = fields(document, NODES)
  expect(sections(form).map(({ title }) => title)).toEqual(['', 'Quality'])
  const steps = form.find((field) => field.name === 'steps')
  expect([steps?.schema.minimum, steps?.schema.maximum, steps?.schema['x-widget']]).toEqual([4, 30, 'slider'])
  const back = changed(setInput('', 'prompt', { help: 'x' }), setInput('', 'prompt', { help: '' }))
  expect(back.inputs?.prompt).toEqual(START.inputs?.prompt)
})

test('an input is renamed in its place, to a name that is free', () => {
  const renamed = changed(renameInput('', 'prompt', 'words'))
  expect(Object.keys(renamed.inputs ?? {})[0]).toBe('words')
  expect(() => changed(renameInput('', 'prompt', 'seed'))).toThrow('There is an input "seed" already.')
  expect(() => changed(renameInput('', 'prompt', '1'))).toThrow('A name begins with a letter')
})

test('what is published has no mark, what is not says so', () => {
  const hidden = changed(setPublished(false))
  expect(hidden.published).toBe(false)
  expect('published' in changed(setPublished(false), setPublished(true))).toBe(false)
})

test('the line for a terminal can be pasted as it is', () => {
  const document = changed(expose('', 'more', 'words.text'))
  expect(Object.keys(example(document, NODES))).toContain('prompt')
  expect(curl('http://here/api/apps/cat', { prompt: "a cat's hat" })).toBe(
    `curl 'http://here/api/apps/cat?wait=60' -H 'Content-Type: application/json' -d '{"prompt":"a cat'\\''s hat"}'`,
  )
})

test('outputs stand in the order that they are brought into', () => {
  const start = { ...empty(), outputs: { one: 'a.out', two: 'b.out', three: 'c.out' } }
  const order = (name: string, before: string | null) =>
    Object.keys(apply(begin(start), '', reorderOutput('', name, before)).document.outputs ?? {})
  expect(order('three', 'one')).toEqual(['three', 'one', 'two'])
  expect(order('one', null)).toEqual(['two', 'three', 'one'])
  expect(order('nobody', 'one')).toEqual(['one', 'two', 'three'])
})
