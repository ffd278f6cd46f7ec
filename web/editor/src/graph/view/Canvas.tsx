import {
  Background,
  BackgroundVariant,
  type Connection,
  ConnectionLineType,
  type Edge,
  type EdgeChange,
  type FinalConnectionState,
  getViewportForBounds,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  SelectionMode,
  useReactFlow,
  useStore,
  type Viewport,
} from '@xyflow/react'
import { useWords, words } from '../../common/words'
import '@xyflow/react/dist/style.css'
import { type MouseEvent as ReactMouseEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { usePalette } from '../../common/palette'
import { useSettings } from '../../settings/settings'
import { useTheme } from '../../settings/theme'
import { useCamera } from '../camera'
import { openMenu } from '../menu'
import { around as boxOf } from '../model/align'
import { fits, mayConnect } from '../model/check'
import * as commands from '../model/commands'
import { graphAt } from '../model/document'
import { WIDTH } from '../model/geometry'
import { crosses, type Point, withStop } from '../model/lines'
import { into } from '../model/room'
import { currentDocument, enter, perform, select, useGraph } from '../store'
import style from './Canvas.module.css'
import { Card, type CardNode } from './Card'
import { Cutter } from './Cutter'
import { Ends, type EndsNode } from './Ends'
import { FrameCard, type FrameNode } from './FrameCard'
import { carried, join, leaveCopy, loosen, put, run } from './hands'
import { Minimap } from './Minimap'
import { Overview } from './Overview'
import { offer } from './offer'
import { endsOf, framesOf, toNode } from './toNode'
import { usePinch } from './usePinch'
import { WhyNot } from './WhyNot'
import { Wire } from './Wire'
import { GIVES, TAKES, type WireEdge, wires } from './wires'

/** How each workflow and group was looked at when it was left. */
const views = new Map<string, Viewport>()

type AnyNode = CardNode | FrameNode | EndsNode

const NODE_TYPES = { card: Card, frame: FrameCard, ends: Ends }
const EDGE_TYPES = { wire: Wire }
const NONE: AnyNode[] = []
const NO_WIRES: WireEdge[] = []
const FAR = 0.35 // zoom below which cards are painted as plain boxes
const [LEAST, MOST] = [0.05, 2.5] // zoom
const USUAL = 120 // how high a card is, about
const [ABOVE, BELOW] = [64, 84] // pixels that the bar of the selection and what is said may cover
const PAN = [0, 1] // the left and the middle button; the right one is for menus
const DRAWN = {
  spline: ConnectionLineType.Bezier,
  straight: ConnectionLineType.Straight,
  step: ConnectionLineType.SmoothStep,
}

function covers({ position, width = 0, height = 0 }: CardNode, { x, y }: { x: number; y: number }): boolean {
  return x >= position.x && y >= position.y && x <= position.x + width && y <= position.y + height
}

export function Canvas() {
  return (
    <ReactFlowProvider>
      <Flow />
    </ReactFlowProvider>
  )
}

function Flow() {
  const flow = useReactFlow<AnyNode, WireEdge>()
  const cutting = useCamera((state) => state.cutting)
  const document = useGraph((state) => state.history.document)
  const group = useGraph((state) => state.group)
  const selected = useGraph((state) => state.selected)
  const arranged = useGraph((state) => state.arranged)
  const opened = useGraph((state) => state.opened)
  const ready = useGraph((state) => state.state === 'ready')
  const nodes = usePalette((state) => state.nodes)
  const [dragged, drag] = useState<Record<string, [number, number]>>({})
  const small = useStore((state) => state.transform[2] < FAR)
  const [seen, see] = useState('')
  const graph = graphAt(document, group)
  const { links, snap, grid } = useSettings(useShallow(({ links, snap, grid }) => ({ links, snap, grid })))
  const raster = useMemo((): [number, number] => [grid, grid], [grid])
  const theme = useTheme()
  const { canvas: says } = useWords()
  const place = useRef<HTMLDivElement>(null)
  usePinch(place, LEAST, MOST)
  const mouse = useRef<{ x: number; y: number } | null>(null)

  const cards = useMemo(
    () => Object.keys(graph.steps ?? {}).map((step) => toNode(document, nodes, group, step, arranged)),
    [document, graph, nodes, group, arranged],
  )
  const shown = useMemo(() => {
    const chosen = new Set(selected)
    return cards.map((card) => {
      const at = dragged[card.id]
      const moved = at ? { ...card, position: { x: at[0], y: at[1] } } : card
      return chosen.has(card.id) ? { ...moved, selected: true } : moved
    })
  }, [cards, dragged, selected])
  const around = useMemo(() => {
    const moved = framesOf(document, group).map((one) => {
      const at = dragged[one.id]
      return at ? { ...one, position: { x: at[0], y: at[1] } } : one
    })
    return [...moved, ...endsOf(document, group, cards)]
  }, [document, group, cards, dragged])
  const whole = `${opened}/${group}`
  // No card is made before it is known where it will be seen: it would jump there, away from quick hands.
  const far = small || seen !== whole
  const edges = useMemo(() => wires(document, nodes, group), [document, nodes, group])

  // The library's own fitView waits for cards to be measured, which these never are.
  const filled = useRef(false)
  const fit = useRef((_?: readonly string[]) => false as boolean)
  fit.current = (names) => {
    const { width = 0, height = 0 } = place.current?.getBoundingClientRect() ?? {}
    const all = names ? cards.filter(({ id }) => names.includes(id)) : [...cards, ...around]
    if (all.length === 0 || width === 0) return false
    // Nor does it know cards that are too far away to be drawn.
    const { at, size } = boxOf(
      all.map(({ position, width = 0, height = 0 }) => ({ at: [position.x, position.y], width, height })),
    )
    const bounds = { x: at[0], y: at[1], width: size[0], height: size[1] }
    void flow.setViewport(getViewportForBounds(bounds, width, height, LEAST, 1, 0.06))
    return true
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: another workflow or group is looked at whole
  useEffect(() => {
    const { tab, name } = useGraph.getState()
    const key = `${tab}/${name}/${group}`
    let looked = false
    const frame = requestAnimationFrame(() => {
      looked = true
      const before = views.get(key)
      if (before) void flow.setViewport(before)
      else if (cards.length === 0) void flow.setViewport({ x: 0, y: 0, zoom: 1 })
      else fit.current()
      see(whole)
    })
    return () => {
      cancelAnimationFrame(frame)
      if (looked && filled.current) views.set(key, flow.getViewport())
    }
  }, [opened, group, flow])
  useEffect(() => {
    filled.current = cards.length > 0
  }, [cards])
  useEffect(() => {
    useCamera.setState({
      camera: {
        fit: (names) => void fit.current(names),
        zoom: (by) => void flow.zoomTo(flow.getZoom() * by),
        reveal: ({ at, width, height }, least = 0) => {
          const box = place.current?.getBoundingClientRect()
          if (!box?.width) return
          const { x, y, zoom } = flow.getViewport()
          if (zoom < least) {
            void flow.setCenter(at[0] + width / 2, at[1] + height / 2, { zoom: least })
            return
          }
          void flow.setViewport({
            x: x + into(x + at[0] * zoom, width * zoom, box.width),
            y: y + into(y + at[1] * zoom, height * zoom, box.height, ABOVE, BELOW),
            zoom,
          })
        },
        sees: ({ at, width, height }) => {
          const box = place.current?.getBoundingClientRect() ?? new DOMRect()
          const { x, y, zoom } = flow.getViewport()
          const [left, top] = [x + at[0] * zoom, y + at[1] * zoom]
          return left < box.width && top < box.height && left + width * zoom > 0 && top + height * zoom > 0
        },
        bend: (wire, at) => way.current(wire, at),
        under: (x, y) => {
          const at = flow.screenToFlowPosition({ x, y }, { snapToGrid: false })
          return [at.x, at.y]
        },
        screen: ([x, y]) => flow.flowToScreenPosition({ x, y }),
        pointer: () => {
          if (!mouse.current) return null
          const at = flow.screenToFlowPosition(mouse.current, { snapToGrid: false })
          return [at.x, at.y]
        },
        middle: () => {
          const box = place.current?.getBoundingClientRect() ?? new DOMRect()
          const [x, y] = [box.left + box.width / 2, box.top + box.height / 2]
          const at = flow.screenToFlowPosition({ x, y })
          return { at: [at.x - WIDTH / 2, at.y - USUAL / 2], x, y }
        },
      },
    })
    return () => useCamera.setState({ camera: null })
  }, [flow])

  const changed = useCallback((changes: NodeChange<AnyNode>[]) => {
    const moves = changes.filter((one) => one.type === 'position')
    if (moves.some((one) => one.dragging))
      drag((now) => ({ ...now, ...Object.fromEntries(moves.flatMap((one) => carried(one))) }))
    const picks = changes.filter((one) => one.type === 'select')
    if (picks.length > 0) {
      const chosen = new Set(useGraph.getState().selected)
      for (const one of picks) one.selected ? chosen.add(one.id) : chosen.delete(one.id)
      select([...chosen])
    }
  }, [])
  const dropped = useCallback(() => {
    drag((now) => {
      if (Object.keys(now).length > 0) queueMicrotask(() => put(group, now, nodes))
      return {}
    })
  }, [group, nodes])
  const valid = useCallback(
    ({ source, sourceHandle, target, targetHandle }: Edge | Connection) =>
      source === TAKES ||
      target === GIVES ||
      fits(
        mayConnect(currentDocument(), nodes, group, `${source}.${sourceHandle}`, {
          step: target,
          input: targetHandle ?? '',
        }),
      ),
    [nodes, group],
  )
  const connected = useCallback((connection: Connection) => join(group, connection), [group])
  const ended = useCallback(
    (
      event: MouseEvent | TouchEvent,
      { isValid, fromNode, fromHandle, toNode, toHandle }: FinalConnectionState,
    ) => {
      if (isValid || !fromNode || !fromHandle?.id || fromNode.id.startsWith('<')) return
      const point = 'changedTouches' in event ? event.changedTouches[0] : event
      if (!point) return
      if (toNode && toHandle?.id) {
        const [from, to] = fromHandle.type === 'source' ? [fromNode, toNode] : [toNode, fromNode]
        const [out, input] = fromHandle.type === 'source' ? [fromHandle, toHandle] : [toHandle, fromHandle]
        const answer = mayConnect(currentDocument(), nodes, group, `${from.id}.${out.id}`, {
          step: to.id,
          input: input.id ?? '',
        })
        useGraph.setState({ said: fits(answer) ? '' : answer })
        return
      }
      const at = flow.screenToFlowPosition({ x: point.clientX, y: point.clientY })
      offer({
        x: point.clientX,
        y: point.clientY,
        at: [at.x, at.y],
        from: { step: fromNode.id, port: fromHandle.id, out: fromHandle.type === 'source' },
      })
    },
    [flow, nodes, group],
  )
  const cut = useCallback(
    (changes: EdgeChange[]) => {
      const gone = changes.filter((one) => one.type === 'remove').map((one) => one.id)
      loosen(group, gone)
    },
    [group],
  )
  const slice = useCallback(
    (from: Point, to: Point) => {
      const at = new Map([...cards, ...around].map((card) => [card.id, card]))
      const hit = edges.filter((edge) => edge.deletable !== false && crosses(run(edge, at), from, to))
      loosen(
        group,
        hit.map((edge) => edge.id),
      )
    },
    [edges, cards, around, group],
  )
  const bend = useCallback(
    (id: string, [x, y]: Point) => {
      const edge = edges.find((one) => one.id === id)
      if (!edge) return
      const at = new Map([...cards, ...around].map((card) => [card.id, card]))
      const line = run(edge, at)
      const [from, to] = [line[0], line.at(-1)]
      if (!from || !to || edge.deletable === false) return
      const stops = withStop(from, to, edge.data?.by ?? [], [x, y])
      perform(
        words().edits.reroute,
        commands.setReroutes(
          group,
          edge.id,
          stops.map(([a, b]) => [a, b]),
        ),
      )
    },
    [edges, cards, around, group],
  )
  const way = useRef(bend)
  way.current = bend
  const reroute = useCallback(
    (event: ReactMouseEvent, edge: WireEdge) => {
      const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })
      bend(edge.id, [x, y])
    },
    [flow, bend],
  )
  const menu = useCallback(
    (event: MouseEvent | ReactMouseEvent, about: { step?: string; wire?: string }) => {
      if ((event.target as Element).closest('input, textarea, select, [contenteditable]')) return
      event.preventDefault()
      const [x, y] = [event.clientX, event.clientY]
      const at = flow.screenToFlowPosition({ x, y }, { snapToGrid: false })
      const step = about.step ?? (about.wire ? undefined : cards.find((card) => covers(card, at))?.id)
      const chosen = useGraph.getState().selected
      if (step !== undefined && !chosen.includes(step)) select([step])
      const several = step !== undefined && chosen.includes(step) && chosen.length > 1
      openMenu({
        about: about.wire ? 'wire' : step === undefined ? 'canvas' : several ? 'several' : 'node',
        x,
        y,
        at: [at.x, at.y],
        ...(about.wire ? { wire: about.wire } : {}),
      })
    },
    [flow, cards],
  )
  return (
    <div
      ref={place}
      className={style.canvas}
      data-far={far}
      onPointerMove={({ clientX, clientY }) => {
        mouse.current = { x: clientX, y: clientY }
      }}
      onPointerLeave={() => {
        mouse.current = null
      }}
    >
      <ReactFlow
        nodes={far ? NONE : [...around, ...shown]}
        edges={far ? NO_WIRES : edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={changed}
        onNodeDragStart={(event) => {
          if ('altKey' in event && event.altKey) void leaveCopy()
        }}
        onNodeDragStop={dropped}
        onEdgeClick={(event, edge) => event.altKey && reroute(event, edge)}
        onEdgeDoubleClick={reroute}
        onEdgeContextMenu={(event, { id, deletable }) => deletable !== false && menu(event, { wire: id })}
        onNodeContextMenu={(event, { id }) => menu(event, id.startsWith('<') ? {} : { step: id })}
        onSelectionContextMenu={(event) => menu(event, {})}
        onPaneContextMenu={(event) => menu(event, {})}
        onNodeDoubleClick={(event, { id }) => {
          const node = graphAt(currentDocument(), group).steps?.[id]?.node ?? ''
          if (
            node.startsWith('group/') &&
            !(event.target as Element).closest('input, textarea, select, button')
          )
            enter(node.slice('group/'.length))
        }}
        onSelectionDragStop={dropped}
        onEdgesChange={cut}
        onConnect={connected}
        onConnectEnd={ended}
        isValidConnection={valid}
        onDoubleClick={(event) => {
          if (!(event.target instanceof Element) || !event.target.classList.contains('react-flow__pane'))
            return
          const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })
          offer({ x: event.clientX, y: event.clientY, at: [at.x, at.y] })
        }}
        onPaneClick={(event) => {
          const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })
          const step = cards.find((card) => covers(card, at))?.id // from far away they are only painted
          select(step === undefined ? [] : [step])
        }}
        colorMode={theme}
        connectionLineType={DRAWN[links]}
        minZoom={LEAST}
        maxZoom={MOST}
        snapToGrid={snap}
        snapGrid={raster}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        selectionKeyCode={['Control', 'Meta']}
        multiSelectionKeyCode="Shift"
        selectionMode={SelectionMode.Partial}
        panOnDrag={PAN}
        onlyRenderVisibleElements
        nodesFocusable={false}
        edgesFocusable={false}
        proOptions={{ hideAttribution: true }}
        aria-label={says.label}
      >
        <Background
          variant={BackgroundVariant.Dots}
          gap={24}
          size={1.5}
          color="var(--dots)"
          bgColor="var(--ground)"
        />
      </ReactFlow>
      {far && <Overview nodes={shown} edges={edges} />}
      <WhyNot />
      <Minimap nodes={shown} />
      {cutting && <Cutter cut={slice} />}
      {cards.length === 0 && ready && seen === whole && (
        <p className={style.nothing}>
          {group === '' ? says.first : says.emptyGroup}
          <span>{says.orDrop}</span>
        </p>
      )}
    </div>
  )
}
