/** What hands do on the canvas: carry, put down, join, loosen. */

import type { Connection } from '@xyflow/react'
import { words } from '../../common/words'
import { useSettings } from '../../settings/settings'
import { copied, paste } from '../clipboard'
import { fits, mayConnect } from '../model/check'
import * as commands from '../model/commands'
import { freeName, graphAt, split } from '../model/document'
import { cardOf } from '../model/geometry'
import { specOf } from '../model/groups'
import { along, type Point, under } from '../model/lines'
import type { Nodes } from '../model/nodes'
import { currentDocument, perform, select, useGraph, whereIs } from '../store'
import { GIVES, TAKES, type WireEdge, wires } from './wires'

const FRAME = '<frame>'
type Places = Record<string, [number, number]>

/** Where this goes, and with a frame what lies in it. */
export function carried({
  id,
  position,
}: {
  id: string
  position?: { x: number; y: number }
}): [string, [number, number]][] {
  const to: [number, number] = [position?.x ?? 0, position?.y ?? 0]
  if (!id.startsWith(FRAME)) return [[id, to]]
  const { group } = useGraph.getState()
  const document = currentDocument()
  const frame = document.layout?.[group]?.frames?.[id.slice(FRAME.length)]
  if (!frame) return []
  const inside = Object.keys(graphAt(document, group).steps ?? {}).filter((name) => {
    const [x, y] = whereIs(name)
    const [left, top, wide, high] = [...frame.at, ...frame.size]
    return x >= left && y >= top && x < left + wide && y < top + high
  })
  const [dx, dy] = [to[0] - frame.at[0], to[1] - frame.at[1]]
  return [
    [id, to],
    ...inside.map((name): [string, [number, number]] => {
      const [x, y] = whereIs(name)
      return [name, [x + dx, y + dy]]
    }),
  ]
}

/** Let go of what was dragged; one free step on a wire goes into it. */
export function put(group: string, places: Places, nodes: Nodes): void {
  const frames = Object.entries(places).filter(([id]) => id.startsWith(FRAME))
  const steps = Object.fromEntries(Object.entries(places).filter(([id]) => !id.startsWith('<')))
  const known = currentDocument().layout?.[group]?.frames ?? {}
  const changes = frames.flatMap(([id, at]) => {
    const name = id.slice(FRAME.length)
    const frame = known[name]
    return frame
      ? [commands.setFrame(group, name, { ...frame, at: [Math.round(at[0]), Math.round(at[1])] })]
      : []
  })
  const names = Object.keys(steps)
  const into =
    names.length === 1 && names[0] ? insertion(group, names[0], steps[names[0]] ?? [0, 0], nodes) : null
  perform(
    into
      ? words().edits.insert(names[0] ?? '')
      : names.length > 1
        ? words().edits.moveSome(names.length)
        : words().edits.moveOf(names[0] ?? words().edits.frame),
    commands.all(...changes, commands.move(group, steps), ...(into ? [into] : [])),
  )
}

/** The change that puts a step, which nothing is wired to, into the wire that it lies on. */
function insertion(group: string, name: string, at: [number, number], nodes: Nodes): commands.Change | null {
  const document = currentDocument()
  const graph = graphAt(document, group)
  const step = graph.steps?.[name]
  const spec = step && specOf(document, nodes, step.node)
  if (!step || !spec || Object.keys(step.wires ?? {}).length > 0) return null
  const edges = wires(document, nodes, group)
  if (edges.some(({ source }) => source === name)) return null
  const { width, height } = cardOf(document, nodes, group, name)
  const standing = new Map(
    Object.keys(graph.steps ?? {}).map((one) => {
      const [x, y] = whereIs(one)
      return [one, { position: { x, y }, handles: handlesOf(document, nodes, group, one) }]
    }),
  )
  for (const edge of edges) {
    if (edge.source.startsWith('<') || edge.target.startsWith('<') || edge.deletable === false) continue
    if (!under(run(edge, standing), at, width, height)) continue
    const wire = `${edge.source}.${edge.sourceHandle}`
    const to = { step: edge.target, input: edge.targetHandle ?? '' }
    const input = spec.inputs.find((one) =>
      fits(mayConnect(document, nodes, group, wire, { step: name, input: one.name })),
    )
    const output = spec.outputs.find((one) =>
      fits(mayConnect(document, nodes, group, `${name}.${one.name}`, to)),
    )
    if (input && output) return commands.insert(group, name, { input: input.name, output: output.name }, to)
  }
  return null
}

interface Standing {
  position: { x: number; y: number }
  handles?: readonly { id?: string | null; type: string; x: number; y: number }[] | null
}

/** A wire as it is drawn, as points. */
export function run(edge: WireEdge, at: ReadonlyMap<string, Standing>): Point[] {
  const end = (node: string, handle: string | null | undefined, type: string): Point | null => {
    const card = at.get(node)
    const port = card?.handles?.find((one) => one.id === handle && one.type === type)
    return card && port ? [card.position.x + port.x + 6, card.position.y + port.y + 6] : null
  }
  const from = end(edge.source, edge.sourceHandle, 'source')
  const to = end(edge.target, edge.targetHandle, 'target')
  return from && to ? along(from, to, edge.data?.by, useSettings.getState().links) : []
}

/** Draw a wire; from or to an end of the group it names what the group takes or gives. */
export function join(group: string, { source, sourceHandle, target, targetHandle }: Connection): void {
  const [wire, to] = [`${source}.${sourceHandle}`, { step: target, input: targetHandle ?? '' }]
  const graph = graphAt(currentDocument(), group)
  const fresh = (name: string, taken: object | undefined) => freeName(name, { ...taken })
  if (source === TAKES && sourceHandle?.startsWith('^'))
    perform(words().edits.connect, commands.connect(group, sourceHandle.slice(1), to))
  else if (source === TAKES)
    perform(
      words().edits.promote,
      commands.all(
        commands.disconnect(group, to),
        commands.expose(
          group,
          sourceHandle === '+' ? fresh(to.input, graph.inputs) : (sourceHandle ?? ''),
          `${target}.${targetHandle}`,
        ),
      ),
    )
  else if (target === GIVES) {
    const plain = sourceHandle === 'out' ? source : (sourceHandle ?? source)
    const name = targetHandle === '+' ? fresh(plain, graph.outputs) : (targetHandle ?? '')
    perform(words().edits.promote, commands.exposeOutput(group, name, wire))
  } else perform(words().edits.connect, commands.connect(group, wire, to))
}

/** Take wires away, each named by where it goes. */
export function loosen(group: string, wires: readonly string[]): void {
  if (wires.length === 0) return
  const graph = graphAt(currentDocument(), group)
  perform(
    wires.length > 1 ? words().edits.cut(wires.length) : words().edits.disconnect,
    commands.all(
      ...wires.map((wire) => {
        const [step, input] = split(wire)
        if (step === GIVES) return commands.hideOutput(group, input)
        if (graph.steps?.[step]?.wires?.[input] === undefined) return commands.unpromote(group, wire)
        return commands.disconnect(group, { step, input })
      }),
    ),
  )
}

/** Leave a copy of what is dragged where it lay. */
export async function leaveCopy(): Promise<void> {
  const { selected } = useGraph.getState()
  const text = await copied()
  if (text) await paste(true, { text, still: true })
  select(selected)
}

function handlesOf(document: ReturnType<typeof currentDocument>, nodes: Nodes, group: string, name: string) {
  const { width, rows, outputs } = cardOf(document, nodes, group, name)
  return [
    ...rows.map(({ input, y, height }) => ({
      id: input.name,
      type: 'target',
      x: -6,
      y: y + Math.min(height, 28) / 2 - 6,
    })),
    ...outputs.map(({ name: id, y }) => ({ id, type: 'source', x: width - 6, y: y - 6 })),
  ]
}
