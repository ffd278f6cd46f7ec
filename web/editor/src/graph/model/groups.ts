/** Groups and saved workflows as nodes: what they take and give follows from what is inside. */
import { words } from '../../common/words'
import type { Document, Graph, Step } from './document'
import { graphs, split } from './document'
import type { InputSpec, NodeSpec, Nodes, OutputSpec } from './nodes'
import { inputOf } from './nodes'
import type { Port } from './ports'
import { substitute } from './ports'

const ANY: Port = { type: 'var', name: 'T' }

/** The node of a step, be it the server's, a group of this document or unknown. */
export function specOf(document: Document, nodes: Nodes, node: string): NodeSpec | undefined {
  const known = nodes.get(node)
  if (known || !node.startsWith('group/')) return known
  const name = node.slice('group/'.length)
  const group = document.groups?.[name]
  return group && groupSpec(document, nodes, name, group)
}

function groupSpec(document: Document, nodes: Nodes, name: string, group: Graph, depth = 0): NodeSpec {
  const inner = (step: string): NodeSpec | undefined => {
    const node = (group.steps?.[step] ?? document.steps?.[step])?.node
    if (node === undefined || depth > 16) return undefined
    return node === `group/${name}` ? undefined : specOf(document, nodes, node)
  }
  const inputs = Object.entries(group.inputs ?? {}).map(([input, { to, title, help }]): InputSpec => {
    const [step, port] = split(to[0] ?? '')
    const found = inputOf(inner(step), port)
    const typed = group.steps?.[step]?.values?.[port]
    return {
      name: input,
      port: found?.port ?? ANY,
      schema: { ...found?.schema, ...(title ? { title } : {}), ...(help ? { description: help } : {}) },
      required: typed === undefined && (found?.required ?? false),
      ...(typed !== undefined
        ? { default: typed }
        : found?.default !== undefined
          ? { default: found.default }
          : {}),
    }
  })
  const outputs = Object.entries(group.outputs ?? {}).map(([output, wire]): OutputSpec => {
    const [step, port] = split(wire)
    return { name: output, port: inner(step)?.outputs.find((one) => one.name === port)?.port ?? ANY }
  })
  return {
    id: `group/${name}`,
    version: 1,
    title: group.title || name,
    help: words().checks.group,
    category: 'groups',
    kind: 'pure',
    lane: 'io',
    inputs,
    outputs,
  }
}

/** The type of an output as it is where it stands: variables are what the wires into its node make of them. */
export function outputType(
  document: Document,
  nodes: Nodes,
  graph: Graph,
  wire: string,
  depth = 0,
): Port | undefined {
  const [name, output] = split(wire)
  const step = graph.steps?.[name] ?? document.steps?.[name]
  const spec = step && specOf(document, nodes, step.node)
  const port = spec?.outputs.find((one) => one.name === output)?.port
  if (!step || !spec || !port || depth > 64 || !JSON.stringify(port).includes('"var"')) return port
  const bound = new Map<string, Port>()
  for (const input of spec.inputs) {
    const from = step.wires?.[input.name]
    const source =
      from && !from.startsWith('#') ? outputType(document, nodes, graph, from, depth + 1) : undefined
    if (source && input.port.type === 'var' && !bound.has(input.port.name))
      bound.set(input.port.name, source.type === 'list' ? source.item : source)
  }
  return substitute(port, bound)
}

/** A group that a step runs itself, as a loop does: what it is handed, what it gives, what it reaches out for. */
export interface Body {
  input: string
  group: string
  title: string
  takes: string[]
  gives: string[]
  /** Wires from steps outside. */
  captures: string[]
}

export function bodiesOf(document: Document, step: Step): Body[] {
  return Object.entries(step.wires ?? {}).flatMap(([input, wire]): Body[] => {
    const name = wire.startsWith('#') ? wire.slice(1) : ''
    const group = document.groups?.[name]
    if (!group) return []
    return [
      {
        input,
        group: name,
        title: group.title || name,
        takes: Object.keys(group.inputs ?? {}),
        gives: Object.keys(group.outputs ?? {}),
        captures: capturesOf(group),
      },
    ]
  })
}

/** The wires of a group that come from steps outside of it. */
export function capturesOf(group: Graph): string[] {
  const found = Object.values(group.steps ?? {})
    .flatMap(({ wires }) => Object.values(wires ?? {}))
    .filter((wire) => !wire.startsWith('#') && !group.steps?.[split(wire)[0]])
  return [...new Set(found)]
}

/** From the workflow ("") down to this group, by the first step that uses each. */
export function trail(document: Document, group: string): string[] {
  const found = [group]
  for (let inner = group; inner !== ''; inner = found[0] ?? '') {
    const holder = graphs(document).find(([name, graph]) => !found.includes(name) && uses(graph, inner))
    found.unshift(holder?.[0] ?? '')
  }
  return found
}

export function uses(graph: Graph, group: string): boolean {
  return Object.values(graph.steps ?? {}).some(
    ({ node, wires }) => node === `group/${group}` || Object.values(wires ?? {}).includes(`#${group}`),
  )
}
