import { useReactFlow, useStore } from '@xyflow/react'
import { type PointerEvent, useEffect, useRef } from 'react'
import { useWords } from '../../common/words'
import { useTheme } from '../../settings/theme'
import style from './Canvas.module.css'
import type { CardNode } from './Card'
import { penOf } from './pen'

const [WIDE, HIGH, ROOM] = [168, 112, 6]

/** The whole graph in a corner, painted on one canvas; a press or a drag on it moves the view there. */
export function Minimap({ nodes }: { nodes: readonly CardNode[] }) {
  const place = useRef<HTMLCanvasElement>(null)
  const flow = useReactFlow()
  const { canvas: words } = useWords()
  const theme = useTheme()
  const [x, y, zoom] = useStore((state) => state.transform)
  const [width, height] = [useStore((state) => state.width), useStore((state) => state.height)]
  const left = Math.min(...nodes.map((one) => one.position.x))
  const top = Math.min(...nodes.map((one) => one.position.y))
  const across = Math.max(...nodes.map((one) => one.position.x + (one.width ?? 0))) - left
  const down = Math.max(...nodes.map((one) => one.position.y + (one.height ?? 0))) - top
  const scale = Math.min((WIDE - 2 * ROOM) / across, (HIGH - 2 * ROOM) / down)
  const dx = (WIDE - across * scale) / 2
  const dy = (HIGH - down * scale) / 2
  // biome-ignore lint/correctness/useExhaustiveDependencies: its colours are read from the theme
  useEffect(() => {
    const found = penOf(place.current, WIDE, HIGH)
    if (!found) return
    const { pen, colour, fine } = found
    pen.setTransform(fine, 0, 0, fine, 0, 0)
    for (const node of nodes) {
      pen.fillStyle = colour(node.selected ? 'pink' : 'still')
      pen.fillRect(
        dx + (node.position.x - left) * scale,
        dy + (node.position.y - top) * scale,
        Math.max(2, (node.width ?? 0) * scale),
        Math.max(2, (node.height ?? 0) * scale),
      )
    }
    pen.strokeStyle = colour('muted')
    pen.strokeRect(
      dx + (-x / zoom - left) * scale,
      dy + (-y / zoom - top) * scale,
      (width / zoom) * scale,
      (height / zoom) * scale,
    )
  }, [nodes, x, y, zoom, width, height, left, top, scale, dx, dy, theme])
  if (nodes.length < 2) return null
  const look = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.buttons !== 1) return
    const box = event.currentTarget.getBoundingClientRect()
    void flow.setCenter(
      (event.clientX - box.left - dx) / scale + left,
      (event.clientY - box.top - dy) / scale + top,
      { zoom },
    )
  }
  return (
    <canvas
      ref={place}
      className={style.minimap}
      style={{ width: WIDE, height: HIGH }}
      role="img"
      aria-label={words.minimap}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        look(event)
      }}
      onPointerMove={look}
    />
  )
}
