/** What is wrong with a graph at first sight, while it is drawn; the server has the last word. */
import { words as spoken } from '../../common/words'
import type { Document, Graph } from './document'
import { graphAt, graphs, split } from './document'
import { outputType, specOf } from './groups'
import type { Nodes } from './nodes'
import { inputOf } from './nodes'
import { type Fit, suits, words } from './ports'

const says = () => spoken().checks

export interface Trouble {
  group: string
  step: string
  input: string
  says: string
}

/** Why a wire cannot be drawn, or how it works if it can. */
export function mayConnect(
  document: Document,
  nodes: Nodes,
  group: string,
  from: string,
  to: { step: string; input: string },
): Fit | string {
  const graph = graphAt(document, group)
  const step = graph.steps?.[to.step]
  const target = step && inputOf(specOf(document, nodes, step.node), to.input)
  const source = outputType(document, nodes, graph, from)
  if (!target || !source) return says().noPort
  if (split(from)[0] === to.step || reaches(graph, to.step, split(from)[0])) return says().circle
  return suits(source, target.port) ?? says().unfit(words(source), words(target.port))
}

export function fits(answer: Fit | string): answer is Fit {
  return answer === 'as is' || answer === 'map' || answer === 'wrap'
}

export function troubles(document: Document, nodes: Nodes): Trouble[] {
  if (nodes.size === 0) return []
  return graphs(document).flatMap(([group, graph]) =>
    Object.entries(graph.steps ?? {}).flatMap(([name, step]): Trouble[] => {
      const spec = specOf(document, nodes, step.node)
      if (!spec)
        return step.node.startsWith('flow/')
          ? []
          : [{ group, step: name, input: '', says: says().noNode(step.node) }]
      const given = new Set(Object.values(graph.inputs ?? {}).flatMap((input) => input.to))
      return spec.inputs.flatMap((input): Trouble[] => {
        const wire = step.wires?.[input.name]
        const said = (what: string) => [{ group, step: name, input: input.name, says: what }]
        if (wire?.startsWith('#'))
          return document.groups?.[wire.slice(1)] ? [] : said(says().noGroup(wire.slice(1)))
        if (wire) {
          const source = outputType(document, nodes, graph, wire)
          if (!source) return group === '' ? said(says().noSource(wire)) : []
          return suits(source, input.port) ? [] : said(says().unfit(words(source), words(input.port)))
        }
        if (input.required && step.values?.[input.name] === undefined && !given.has(`${name}.${input.name}`))
          return said(input.port.type === 'piece' ? says().needsGroup : says().needs(words(input.port)))
        return []
      })
    }),
  )
}

/** Whether what comes from a step goes on, some way, into another. */
export function reaches(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>()
  const waiting = [to]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === from) return true
    if (seen.has(name)) continue
    seen.add(name)
    for (const wire of Object.values(graph.steps?.[name]?.wires ?? {}))
      if (!wire.startsWith('#')) waiting.push(split(wire)[0])
  }
  return false
}
