/** A workflow as an app: its inputs in sections, and how a program calls it. */
import type { Document } from './document'
import { type Field, fields } from './form'
import type { Nodes } from './nodes'
import type { Json } from './ports'

export interface Section<T> {
  title: string
  fields: T[]
}

/** Fields under their headings, in the order in which a heading first appears; those without one come first. */
export function sections<T extends { section: string }>(all: readonly T[]): Section<T>[] {
  const found = new Map<string, T[]>([['', []]])
  for (const field of all) found.set(field.section, [...(found.get(field.section) ?? []), field])
  return [...found].map(([title, fields]) => ({ title, fields })).filter(({ fields }) => fields.length > 0)
}

/** What a call could say: what must be given, or else the first few inputs. */
export function example(document: Document, nodes: Nodes): Record<string, Json> {
  const all = fields(document, nodes)
  const needed = all.filter((field) => field.value === undefined || field.value === null)
  const shown = [...new Set([...needed.filter((field) => field.value === undefined), ...all.slice(0, 2)])]
  return Object.fromEntries(shown.map((field) => [field.name, field.value ?? stand(field)]))
}

function stand({ port, schema }: Field): Json {
  if (port.type === 'class') return 'ID-OF-AN-UPLOADED-FILE'
  if (port.type === 'menu') return port.options[0] ?? ''
  if (port.type === 'scalar' && port.name === 'str') return 'a red circle'
  return typeof schema.minimum === 'number' ? schema.minimum : 1
}

/** The line for a terminal that calls a published workflow and waits for its result. */
export function curl(address: string, inputs: Record<string, Json>): string {
  const body = JSON.stringify(inputs).replaceAll("'", "'\\''")
  return `curl '${address}?wait=60' -H 'Content-Type: application/json' -d '${body}'`
}
