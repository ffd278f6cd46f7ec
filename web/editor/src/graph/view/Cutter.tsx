import { useReactFlow } from '@xyflow/react'
import { type PointerEvent, useState } from 'react'
import type { Point } from '../model/lines'
import style from './Canvas.module.css'

/** While Y is held: a line drawn across wires cuts them. */
export function Cutter({ cut }: { cut: (from: Point, to: Point) => void }) {
  const flow = useReactFlow()
  const [from, start] = useState<Point | null>(null)
  const [to, end] = useState<Point | null>(null)
  const where = (event: PointerEvent): Point => {
    const box = event.currentTarget.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const inside = (event: PointerEvent, [x, y]: Point): Point => {
    const box = event.currentTarget.getBoundingClientRect()
    const at = flow.screenToFlowPosition({ x: x + box.left, y: y + box.top })
    return [at.x, at.y]
  }
  return (
    <svg
      className={style.cutter}
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        start(where(event))
        end(where(event))
      }}
      onPointerMove={(event) => from && end(where(event))}
      onPointerUp={(event) => {
        if (from) cut(inside(event, from), inside(event, where(event)))
        start(null)
      }}
    >
      {from && to && <line x1={from[0]} y1={from[1]} x2={to[0]} y2={to[1]} />}
    </svg>
  )
}
