/** Where cards go if nobody has laid them out: from left to right, by dagre, which is fetched when it is needed. */
import type { Graph } from './document'
import { split } from './document'

export interface Box {
  width: number
  height: number
}

/** The place of the upper left corner of each of these steps. */
export async function arrange(
  graph: Graph,
  boxes: Record<string, Box>,
  names = Object.keys(graph.steps ?? {}),
  captures: (group: string) => readonly string[] = () => [],
): Promise<Record<string, [number, number]>> {
  const { graphlib, layout } = await import('@dagrejs/dagre')
  const drawn = new graphlib.Graph().setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 64 })
  for (const name of names) drawn.setNode(name, { ...(boxes[name] ?? { width: 260, height: 100 }) })
  for (const name of names)
    for (const wire of Object.values(graph.steps?.[name]?.wires ?? {}))
      for (const from of wire.startsWith('#') ? captures(wire.slice(1)) : [wire])
        if (drawn.hasNode(split(from)[0])) drawn.setEdge(split(from)[0], name, {})
  layout(drawn)
  return Object.fromEntries(
    names.map((name) => {
      const { x, y, width, height } = drawn.node(name)
      return [name, [Math.round(x - width / 2), Math.round(y - height / 2)]]
    }),
  )
}
