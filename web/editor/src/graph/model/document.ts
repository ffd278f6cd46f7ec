/** The workflow file: what the editor holds, byte for byte. Fields it does not know stay where they are. */
import { words } from '../../common/words'
import type { Json } from './ports'

export interface Step {
  node: string
  version?: number
  values?: Record<string, Json>
  wires?: Record<string, string>
  off?: 'mute' | 'bypass'
}
export interface NamedInput {
  to: string[]
  title?: string
  help?: string
  /** The heading under which a form has it. */
  section?: string
  /** Its own limits, where those of the steps are wider. */
  least?: number
  most?: number
}
/** A workflow's graph or a group's: steps with named ends. */
export interface Graph {
  title?: string
  steps?: Record<string, Step>
  inputs?: Record<string, NamedInput>
  outputs?: Record<string, string>
}
export interface Place {
  at: [number, number]
  size?: [number, number]
  colour?: string
  collapsed?: boolean
  pinned?: boolean
  title?: string
}
export interface Frame {
  at: [number, number]
  size: [number, number]
  title: string
  colour?: string
}
/** What lies where in one graph. The engine does not read it. */
export interface Layout {
  steps?: Record<string, Place>
  frames?: Record<string, Frame>
  reroutes?: Record<string, [number, number][]>
  notes?: Record<string, Frame & { text: string }>
}
export interface Document extends Graph {
  tessera: number
  groups?: Record<string, Graph>
  needs?: Record<string, Json>
  /** false: no app, neither a form nor a route of its own. */
  published?: boolean
  /** By the name of the group, and "" for the workflow itself. */
  layout?: Record<string, Layout>
}

export const FORMAT = 1
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

/** What stops a text from being a workflow, in words for the person who dropped it. */
export class NotAWorkflow extends Error {}

export function empty(title = words().graph.untitled): Document {
  return { tessera: FORMAT, title, steps: {}, groups: {}, inputs: {}, outputs: {}, published: false }
}

/** Read a workflow file. Raises NotAWorkflow with what it is instead. */
export function read(text: string): Document {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new NotAWorkflow(words().files.noJson(error instanceof Error ? error.message : String(error)))
  }
  if (!isRecord(found)) throw new NotAWorkflow(words().files.noObject)
  if (!('tessera' in found)) throw new NotAWorkflow(foreign(found))
  if (found.tessera !== FORMAT) throw new NotAWorkflow(words().files.format(String(found.tessera), FORMAT))
  for (const part of ['steps', 'groups', 'inputs', 'outputs'])
    if (found[part] !== undefined && !isRecord(found[part])) throw new NotAWorkflow(words().files.part(part))
  return found as unknown as Document
}

/** Write a workflow file in its canonical form. */
export function write(document: Document): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

/** The workflow's own graph, or that of a group. */
export function graphAt(document: Document, group: string): Graph {
  const found = group === '' ? document : document.groups?.[group]
  if (!found) throw new Error(words().checks.noGroup(group))
  return found
}

/** Every group in use of the document, by the graph that holds it, and the workflow itself as "". */
export function graphs(document: Document): [group: string, graph: Graph][] {
  return [['', document], ...Object.entries(document.groups ?? {})]
}

export function isName(name: string): boolean {
  return NAME.test(name)
}

/** The first of `base`, `base2`, `base3`, … that is free. */
export function freeName(base: string, taken: Record<string, unknown>): string {
  const plain =
    base
      .replace(/[^A-Za-z0-9_-]/g, '_')
      .replace(/^(?=[^A-Za-z_])/, '_')
      .slice(0, 60) || 'step'
  if (!(plain in taken)) return plain
  for (let number = 2; ; number++) if (!(`${plain}${number}` in taken)) return `${plain}${number}`
}

/** A wire "step.output" in its parts. */
export function split(wire: string): [step: string, output: string] {
  const dot = wire.indexOf('.')
  return dot < 0 ? [wire, 'out'] : [wire.slice(0, dot), wire.slice(dot + 1)]
}

function foreign(found: Record<string, unknown>): string {
  if (Array.isArray(found.nodes) && Array.isArray(found.links)) return words().files.comfy
  const values = Object.values(found)
  if (values.length > 0 && values.every((one) => isRecord(one) && 'class_type' in one))
    return words().files.comfyApi
  return words().files.foreign
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
