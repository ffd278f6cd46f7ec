/** Sweeps: which inputs can be varied, and the values that somebody means by what they chose. */
import { type Document, graphs } from './document'
import { sentence } from './form'
import { specOf } from './groups'
import type { Nodes } from './nodes'
import { type Json, options, type Port } from './ports'

export type Kind = 'number' | 'seed' | 'text' | 'menu' | 'model' | 'toggle'

/** An input that can be varied. */
export interface Place {
  group: string
  /** "step.input" */
  to: string
  step: string
  title: string
  kind: Kind
  port: Port
  schema: Record<string, Json>
  value: Json | undefined
}

/** What is to be tried of one input, as the form holds it. */
export interface Choice {
  place: string
  /** Numbers and seeds: evenly from here to there, or as written. */
  how: 'range' | 'list'
  from: number
  to: number
  count: number
  /** What is written: numbers by commas, texts by lines. */
  text: string
  /** Of a menu or of models. */
  chosen: readonly Json[]
}

/** As many as the server starts at once. */
export const MOST = 100
const FEW = 4 // menu entries that are all tried unless somebody chooses
const LARGEST = 2 ** 32 - 1

/** Every input of the document that no wire feeds and that can be varied. */
export function places(document: Document, nodes: Nodes): Place[] {
  return graphs(document).flatMap(([group, graph]) =>
    Object.entries(graph.steps ?? {}).flatMap(([step, { node, values, wires, off }]) =>
      (off ? [] : (specOf(document, nodes, node)?.inputs ?? [])).flatMap(
        ({ name, port, schema, default: own }) => {
          const kind = wires?.[name] ? null : kindOf(port, schema)
          const to = `${step}.${name}`
          const shown = Object.values(graph.inputs ?? {}).find((one) => one.to.includes(to))
          if (!kind || node === 'note') return []
          const title = shown?.title || sentence(name)
          return [{ group, to, step, title, kind, port, schema, value: values?.[name] ?? own }]
        },
      ),
    ),
  )
}

/** The name of a place within a document. */
export function keyOf({ group, to }: { group: string; to: string }): string {
  return `${group}/${to}`
}

export function kindOf(port: Port, schema: Record<string, Json>): Kind | null {
  if (schema['x-widget'] === 'seed') return 'seed'
  if (schema['x-widget'] === 'model') return 'model'
  const kinds = options(port).filter((one) => one.type !== 'none')
  const [kind] = kinds
  if (kinds.length !== 1 || !kind) return null
  if (kind.type === 'menu') return 'menu'
  if (kind.type !== 'scalar') return null
  return ({ int: 'number', float: 'number', str: 'text', bool: 'toggle', json: null } as const)[kind.name]
}

export function isWhole(port: Port): boolean {
  return options(port).some((one) => one.type === 'scalar' && one.name === 'int')
}

/** What a form begins with for an input: something near what it has now. */
export function begin(place: Place): Choice {
  const { kind, port, schema, value } = place
  const now = typeof value === 'number' ? value : 0
  const base: Choice = {
    place: keyOf(place),
    how: 'range',
    from: now,
    to: now,
    count: 3,
    text: typeof value === 'string' ? value : '',
    chosen: [],
  }
  if (kind === 'menu') {
    const all = menuOf(port)
    return { ...base, chosen: all.length <= FEW ? all : all.filter((one) => one === value) }
  }
  if (kind === 'toggle') return { ...base, chosen: [false, true] }
  if (kind === 'model') return { ...base, chosen: value === undefined || value === '' ? [] : [value] }
  if (kind === 'seed') return { ...base, count: 4 }
  const [least, most] = [limit(schema, 'minimum'), limit(schema, 'maximum')]
  const whole = isWhole(port)
  const [low, high] = now === 0 ? [0, 1] : [now / 2, now * 1.5].sort((a, b) => a - b)
  const tidy = (number: number) =>
    Math.min(most ?? number, Math.max(least ?? number, whole ? Math.round(number) : round(number)))
  return { ...base, from: tidy(low ?? 0), to: tidy(high ?? 1) }
}

/** The values that are meant, each once, in order. */
export function valuesOf({ how, from, to, count, text, chosen }: Choice, place: Place): Json[] {
  switch (place.kind) {
    case 'number':
      return how === 'list'
        ? numbers(text, isWhole(place.port))
        : ranged(from, to, count, isWhole(place.port))
    case 'seed':
      return how === 'list'
        ? numbers(text, true)
        : Array.from({ length: bound(count) }, (_, at) => (Math.round(from) + at) % (LARGEST + 1))
    case 'text':
      return [...new Set(text.split('\n').map((line) => line.trim()))].filter((line) => line !== '')
    case 'menu':
      return menuOf(place.port).filter((one) => chosen.includes(one))
    case 'toggle':
    case 'model':
      return [...chosen]
  }
}

/** So many numbers evenly from one to another. */
export function ranged(from: number, to: number, count: number, whole: boolean): number[] {
  const many = bound(count)
  const found = Array.from({ length: many }, (_, at) => {
    const number = many === 1 ? from : from + ((to - from) * at) / (many - 1)
    return whole ? Math.round(number) : round(number)
  })
  return [...new Set(found)]
}

/** The numbers in a text, whatever stands between them. */
export function numbers(text: string, whole: boolean): number[] {
  const found = text
    .split(/[\s,;]+/)
    .filter((part) => part !== '')
    .map(Number)
    .filter((number) => Number.isFinite(number) && (!whole || Number.isInteger(number)))
  return [...new Set(found)]
}

/** A value as it stands at the edge of a grid. */
export function labelled(value: unknown): string {
  if (value === null || value === undefined) return 'automatic'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function menuOf(port: Port): Json[] {
  return options(port).flatMap((one) => (one.type === 'menu' ? one.options : []))
}

function limit(schema: Record<string, Json>, name: string): number | undefined {
  const value = schema[name]
  return typeof value === 'number' ? value : undefined
}

function bound(count: number): number {
  return Math.max(1, Math.min(MOST, Math.round(count) || 1))
}

/** Without the noise of binary fractions. */
function round(value: number): number {
  return Number(value.toFixed(4))
}
