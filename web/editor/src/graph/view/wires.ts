/** The wires of a graph as React Flow wants them. */
import type { Edge } from '@xyflow/react'
import type { Document } from '../model/document'
import { graphAt, split } from '../model/document'
import { bodiesOf, specOf } from '../model/groups'
import type { Point } from '../model/lines'
import type { Nodes } from '../model/nodes'
import { colourOf, OUTSIDE, PLAIN } from './ports'

export const TAKES = '<inputs>'
export const GIVES = '<outputs>'
export type WireEdge = Edge<{ by: readonly Point[]; group: string }, 'wire'>

/** Every wire that can be seen in this graph; in a group also those from its ends and from outside. */
export function wires(document: Document, nodes: Nodes, group: string): WireEdge[] {
  const graph = graphAt(document, group)
  const found: WireEdge[] = []
  const reroutes = document.layout?.[group]?.reroutes ?? {}
  const draw = (
    source: string,
    output: string,
    target: string,
    input: string,
    colour: string,
    fixed = false,
  ) =>
    found.push({
      id: `${target}.${input}`,
      type: 'wire',
      source,
      target,
      sourceHandle: output,
      targetHandle: input,
      style: { stroke: colour },
      data: { by: reroutes[`${target}.${input}`] ?? [], group },
      ...(fixed ? { deletable: false, selectable: false } : {}),
    })
  const colour = (node: string, input: string) => {
    const port = specOf(document, nodes, node)?.inputs.find((one) => one.name === input)?.port
    return port ? colourOf(port) : OUTSIDE
  }
  for (const [name, step] of Object.entries(graph.steps ?? {})) {
    for (const [input, wire] of Object.entries(step.wires ?? {})) {
      if (wire.startsWith('#')) continue
      const [source, output] = split(wire)
      if (graph.steps?.[source]) draw(source, output, name, input, colour(step.node, input))
      else if (group !== '') draw(TAKES, `^${wire}`, name, input, colour(step.node, input))
    }
    for (const body of bodiesOf(document, step))
      for (const wire of body.captures)
        if (graph.steps?.[split(wire)[0]])
          draw(split(wire)[0], split(wire)[1], name, `#${body.input}.${wire}`, OUTSIDE, true)
  }
  if (group === '') return found
  for (const [input, { to }] of Object.entries(graph.inputs ?? {}))
    for (const port of to) {
      const [step, inner] = split(port)
      const node = graph.steps?.[step]?.node
      if (node !== undefined) draw(TAKES, input, step, inner, colour(node, inner))
    }
  for (const [output, wire] of Object.entries(graph.outputs ?? {}))
    if (graph.steps?.[split(wire)[0]]) draw(split(wire)[0], split(wire)[1], GIVES, output, PLAIN)
  return found
}
