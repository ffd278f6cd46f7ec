/** Steps, frames and the ends of a group as React Flow wants them: with size and ports, so that nothing need be measured. */
import { type NodeHandle, Position } from '@xyflow/react'
import { around, type Lying } from '../model/align'
import type { Document } from '../model/document'
import { graphAt } from '../model/document'
import { captureAt, cardOf, HEAD, PAD, ROW } from '../model/geometry'
import { capturesOf } from '../model/groups'
import type { Nodes } from '../model/nodes'
import type { CardNode } from './Card'
import { ENDS_WIDTH, type EndsNode, endsHeight, NEW } from './Ends'
import type { FrameNode } from './FrameCard'
import { GIVES, TAKES } from './wires'

const PORT = 12
const APART = 90

export function toNode(
  document: Document,
  nodes: Nodes,
  group: string,
  name: string,
  arranged: Record<string, [number, number]>,
): CardNode {
  const place = document.layout?.[group]?.steps?.[name]
  const { width, height, rows, outputs, bodies } = cardOf(document, nodes, group, name)
  const [x, y] = place?.at ?? arranged[`${group}/${name}`] ?? [0, 0]
  return {
    id: name,
    type: 'card',
    position: { x, y },
    width,
    height,
    draggable: !place?.pinned,
    handles: [
      ...rows.map(({ input, y, height }) => port(input.name, 'target', y + Math.min(height, 28) / 2, width)),
      ...bodies.flatMap(({ body, y, height }) =>
        body.captures.map((wire, index) =>
          port(`#${body.input}.${wire}`, 'target', height > 0 ? y + captureAt(body, index) : HEAD / 2, width),
        ),
      ),
      ...outputs.map(({ name, y }) => port(name, 'source', y, width)),
    ],
    data: { group },
  }
}

/** The frames of a graph, behind its steps. */
export function framesOf(document: Document, group: string): FrameNode[] {
  return Object.entries(document.layout?.[group]?.frames ?? {}).map(([name, frame]) => ({
    id: `<frame>${name}`,
    type: 'frame',
    position: { x: frame.at[0], y: frame.at[1] },
    width: frame.size[0],
    height: frame.size[1],
    zIndex: -1,
    selectable: false,
    data: { group, name, frame },
  }))
}

/** What a group takes and gives, to the left and to the right of its steps. */
export function endsOf(document: Document, group: string, cards: readonly CardNode[]): EndsNode[] {
  if (group === '') return []
  const graph = graphAt(document, group)
  const lying = cards.map(
    ({ position, width = 0, height = 0 }): Lying => ({ at: [position.x, position.y], width, height }),
  )
  const { at, size } = cards.length > 0 ? around(lying) : { at: [0, 0], size: [200, 0] }
  const end = (id: string, x: number, names: string[], captures: string[]): EndsNode => {
    const ids = [...names, NEW, ...captures.map((wire) => `^${wire}`)]
    const height = endsHeight(ids.length)
    return {
      id,
      type: 'ends',
      position: { x, y: (at[1] ?? 0) + (size[1] ?? 0) / 2 - height / 2 },
      width: ENDS_WIDTH,
      height,
      draggable: false,
      selectable: false,
      handles: ids.map((one, index) =>
        port(one, id === TAKES ? 'source' : 'target', HEAD + PAD + ROW * index + ROW / 2, ENDS_WIDTH),
      ),
      data: { names, captures },
    }
  }
  return [
    end(TAKES, (at[0] ?? 0) - ENDS_WIDTH - APART, Object.keys(graph.inputs ?? {}), capturesOf(graph)),
    end(GIVES, (at[0] ?? 0) + (size[0] ?? 0) + APART, Object.keys(graph.outputs ?? {}), []),
  ]
}

function port(id: string, type: 'source' | 'target', middle: number, width: number): NodeHandle {
  return {
    id,
    type,
    position: type === 'source' ? Position.Right : Position.Left,
    x: type === 'source' ? width - PORT / 2 : -PORT / 2,
    y: middle - PORT / 2,
    width: PORT,
    height: PORT,
  }
}
