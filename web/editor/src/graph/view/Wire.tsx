import { BaseEdge, type EdgeProps, useReactFlow } from '@xyflow/react'
import { type PointerEvent, useState } from 'react'
import { words } from '../../common/words'
import { useSettings } from '../../settings/settings'
import * as commands from '../model/commands'
import { type Point, path } from '../model/lines'
import { perform } from '../store'
import style from './Canvas.module.css'
import { OUTSIDE } from './ports'
import type { WireEdge } from './wires'

/** A wire, led by its reroutes; each can be dragged, a double-click takes it out. */
export function Wire({ id, sourceX, sourceY, targetX, targetY, style: look, data }: EdgeProps<WireEdge>) {
  const flow = useReactFlow()
  const bend = useSettings((state) => state.links)
  const [held, hold] = useState<{ index: number; at: Point } | null>(null)
  const by = (data?.by ?? []).map((at, index): Point => (held?.index === index ? held.at : at))
  const set = (stops: readonly Point[]) =>
    perform(
      words().edits.reroute,
      commands.setReroutes(
        data?.group ?? '',
        id,
        stops.map(([x, y]) => [x, y]),
      ),
    )
  const where = (event: PointerEvent): Point => {
    const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })
    return [Math.round(x), Math.round(y)]
  }
  return (
    <>
      <BaseEdge
        path={path([sourceX, sourceY], [targetX, targetY], by, bend)}
        style={look ?? {}}
        interactionWidth={16}
      />
      {by.map(([x, y], index) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: a wire's way is for the eye alone
        <circle
          // biome-ignore lint/suspicious/noArrayIndexKey: a stop is its place in the row
          key={index}
          className={`nopan nodrag ${style.stop}`}
          cx={x}
          cy={y}
          r={6}
          style={{ fill: String(look?.stroke ?? OUTSIDE) }}
          onPointerDown={(event) => {
            event.stopPropagation()
            event.currentTarget.setPointerCapture(event.pointerId)
            hold({ index, at: [x, y] })
          }}
          onPointerMove={(event) => held && hold({ index, at: where(event) })}
          onPointerUp={() => {
            if (held) set(by)
            hold(null)
          }}
          onDoubleClick={(event) => {
            event.stopPropagation()
            set((data?.by ?? []).filter((_, other) => other !== index))
          }}
        />
      ))}
    </>
  )
}
