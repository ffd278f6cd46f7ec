import { type Edge, useStore } from '@xyflow/react'
import { useEffect, useRef } from 'react'
import { usePalette } from '../../common/palette'
import { useTheme } from '../../settings/theme'
import { graphAt } from '../model/document'
import { specOf } from '../model/groups'
import { useGraph } from '../store'
import style from './Canvas.module.css'
import type { CardNode } from './Card'
import { penOf } from './pen'
import { OUTSIDE, painted } from './ports'

/** Everything from far away, painted at once: boxes with their names, and lines. */
export function Overview({ nodes, edges }: { nodes: CardNode[]; edges: Edge[] }) {
  const place = useRef<HTMLCanvasElement>(null)
  const [x, y, zoom] = useStore((state) => state.transform)
  const [width, height] = [useStore((state) => state.width), useStore((state) => state.height)]
  const document = useGraph((state) => state.history.document)
  const theme = useTheme()
  const group = useGraph((state) => state.group)
  const palette = usePalette((state) => state.nodes)
  // biome-ignore lint/correctness/useExhaustiveDependencies: its colours are read from the theme
  useEffect(() => {
    const found = penOf(place.current, width, height)
    if (!found) return
    const { pen, dress, colour, fine } = found
    pen.setTransform(fine * zoom, 0, 0, fine * zoom, fine * x, fine * y)
    const at = new Map(nodes.map((node) => [node.id, node]))
    pen.lineWidth = 1.5 / zoom
    for (const edge of edges) {
      const [from, to] = [at.get(edge.source), at.get(edge.target)]
      if (!from || !to) continue
      pen.strokeStyle = painted(String(edge.style?.stroke ?? OUTSIDE), dress)
      pen.beginPath()
      pen.moveTo(from.position.x + (from.width ?? 0), from.position.y + 40)
      pen.lineTo(to.position.x, to.position.y + 40)
      pen.stroke()
    }
    pen.font = '600 40px system-ui'
    for (const node of nodes) {
      pen.fillStyle = colour(node.selected ? 'chosen' : 'raised')
      pen.strokeStyle = colour(node.selected ? 'pink' : 'border')
      pen.fillRect(node.position.x, node.position.y, node.width ?? 0, node.height ?? 0)
      pen.strokeRect(node.position.x, node.position.y, node.width ?? 0, node.height ?? 0)
      const step = graphAt(document, group).steps?.[node.id]
      pen.fillStyle = colour('text')
      pen.fillText(
        (step && specOf(document, palette, step.node)?.title) ?? node.id,
        node.position.x + 10,
        node.position.y + 48,
        (node.width ?? 0) - 20,
      )
    }
  }, [nodes, edges, x, y, zoom, width, height, document, group, palette, theme])
  return (
    <div aria-hidden="true" className={style.overview}>
      <canvas ref={place} />
    </div>
  )
}
