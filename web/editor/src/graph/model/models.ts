/** The models and nodes that a workflow names, and which of them are not here. */
import type { Document } from './document'
import { graphs, split } from './document'
import { specOf } from './groups'
import type { Nodes } from './nodes'

export interface Named {
  group: string
  step: string
  input: string
  name: string
  kind: string
}
export interface Here {
  name: string
  kind: string
}
export interface Short extends Here {
  source: string
  licence: string
  bytes: number
}
/** A model that has to come before the workflow can run. */
export interface Wanted {
  name: string
  kind: string
  /** Where it is named. */
  by: Named[]
  /** How it is fetched, if that is known. */
  short: Short | null
}
/** A node that nothing here knows. */
export interface Unknown {
  node: string
  pack: string
  by: string[]
}

/** Every model that is typed in somewhere, or is what a node takes if nothing is. */
export function named(document: Document, nodes: Nodes): Named[] {
  return graphs(document).flatMap(([group, graph]) =>
    Object.entries(graph.steps ?? {}).flatMap(([step, { node, values, wires, off }]) =>
      (off ? [] : (specOf(document, nodes, node)?.inputs ?? [])).flatMap((input) => {
        if (input.schema['x-widget'] !== 'model' || wires?.[input.name]) return []
        const value = values?.[input.name] ?? input.default
        if (typeof value !== 'string' || value === '') return []
        return [{ group, step, input: input.name, name: value, kind: String(input.schema['x-kind'] ?? '') }]
      }),
    ),
  )
}

/** What of it is not on this machine, each once. */
export function wanted(all: readonly Named[], here: readonly Here[], known: readonly Short[]): Wanted[] {
  const found = new Map<string, Wanted>()
  for (const place of all) {
    const { name, kind } = place
    if (here.some((one) => one.name === plain(name) && (kind === '' || one.kind === kind))) continue
    const key = `${kind} ${name}`
    const short = known.find((one) => one.name === plain(name) && (kind === '' || one.kind === kind)) ?? null
    const one = found.get(key) ?? { name, kind, by: [], short }
    found.set(key, { ...one, by: [...one.by, place] })
  }
  return [...found.values()]
}

/** A place as people read it. */
export function where({ group, step }: Pick<Named, 'group' | 'step'>): string {
  return group ? `${group}/${step}` : step
}

/** What to ask the server for: a short name, a repository of the hub, or nothing that is known. */
export function request(one: Wanted): { what: string; kind: string | null; name: string } | null {
  if (one.short) return { what: one.short.name, kind: one.kind || null, name: '' }
  if (/^[\w.-]+\/[\w.-]+$/.test(one.name)) return { what: one.name, kind: one.kind || null, name: '' }
  return null
}

/** The nodes of steps that nobody here knows. */
export function unknown(document: Document, nodes: Nodes): Unknown[] {
  if (nodes.size === 0) return []
  const found = new Map<string, Unknown>()
  for (const [group, graph] of graphs(document))
    for (const [step, { node }] of Object.entries(graph.steps ?? {})) {
      if (node.startsWith('flow/') || specOf(document, nodes, node)) continue
      const one = found.get(node) ?? {
        node,
        pack: node.includes('/') ? (node.split('/')[0] ?? '') : '',
        by: [],
      }
      found.set(node, { ...one, by: [...one.by, group ? `${group}/${step}` : step] })
    }
  return [...found.values()]
}

/** The model that reads a prompt: what is typed in where its text encoder comes from, and the form's name for that. */
export function readerOf(
  document: Document,
  nodes: Nodes,
  place: string,
): { name: string; input: string | null } | null {
  const [step] = split(place)
  const spec = specOf(document, nodes, document.steps?.[step]?.node ?? '')
  const encoder = spec?.inputs.find(({ port }) => port.type === 'class' && port.ancestry[0] === 'TextEncoder')
  if (!encoder) return null
  for (let at = document.steps?.[step]?.wires?.[encoder.name], turns = 0; at && turns < 64; turns++) {
    const name = split(at)[0]
    const source = document.steps?.[name]
    const inputs = specOf(document, nodes, source?.node ?? '')?.inputs ?? []
    const model = inputs.find(({ schema }) => schema['x-widget'] === 'model' && schema['x-kind'] === 'model')
    if (model && !source?.wires?.[model.name]) {
      const port = `${name}.${model.name}`
      const input = Object.entries(document.inputs ?? {}).find(([, one]) => one.to.includes(port))?.[0]
      return { name: String(source?.values?.[model.name] ?? model.default ?? ''), input: input ?? null }
    }
    const on = inputs.find(({ port }) => port.type === 'class' && port.ancestry[0] === 'TextEncoder')
    at = on && source?.wires?.[on.name]
  }
  return null
}

/** Without the ending of a file. */
function plain(name: string): string {
  return name.replace(/\.(safetensors|onnx)$/, '')
}
