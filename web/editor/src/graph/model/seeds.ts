/** The seeds of a workflow, and which ones the next run gets. */
import type { Change } from './commands'
import { type Document, graphs } from './document'
import { specOf } from './groups'
import type { Nodes } from './nodes'

export type After = 'keep' | 'step' | 'random'
const LARGEST = 2 ** 32

/** Every seed that is a number typed into a step, by group, step and input. */
export function seeds(
  document: Document,
  nodes: Nodes,
): { group: string; step: string; input: string; value: number }[] {
  return graphs(document).flatMap(([group, graph]) =>
    Object.entries(graph.steps ?? {}).flatMap(([step, { node, values, wires }]) =>
      (specOf(document, nodes, node)?.inputs ?? []).flatMap(({ name: input, schema, default: own }) => {
        const value = values?.[input] ?? own
        const typed = schema['x-widget'] === 'seed' && !wires?.[input] && typeof value === 'number'
        return typed ? [{ group, step, input, value }] : []
      }),
    ),
  )
}

/** What the seeds become after `runs` runs; null if nothing changes. One roll for all: what was equal stays so. */
export function nextSeeds(
  document: Document,
  nodes: Nodes,
  after: After,
  runs = 1,
  roll = () => Math.floor(Math.random() * LARGEST),
): Change | null {
  const found = after === 'keep' ? [] : seeds(document, nodes)
  if (found.length === 0) return null
  const rolled = new Map(found.map(({ value }) => [value, after === 'random' ? roll() : value + runs]))
  return (draft) => {
    for (const { group, step, input, value } of found) {
      const there = (group ? draft.groups?.[group] : draft)?.steps?.[step]
      if (there) there.values = { ...there.values, [input]: rolled.get(value) ?? value }
    }
  }
}
