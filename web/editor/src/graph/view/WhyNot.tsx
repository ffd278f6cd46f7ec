import { useConnection } from '@xyflow/react'
import { usePalette } from '../../common/palette'
import { useWords } from '../../common/words'
import { fits, mayConnect } from '../model/check'
import { currentDocument, useGraph } from '../store'
import style from './Canvas.module.css'

/** While a wire is dragged over a port: what it would do there, or why it cannot be. */
export function WhyNot() {
  const { inProgress, fromHandle, toHandle, pointer } = useConnection()
  const { canvas: words } = useWords()
  const nodes = usePalette((state) => state.nodes)
  const group = useGraph((state) => state.group)
  if (!inProgress || !toHandle?.id || !fromHandle?.id || toHandle.type === fromHandle.type) return null
  const [out, to] = fromHandle.type === 'source' ? [fromHandle, toHandle] : [toHandle, fromHandle]
  if (!pointer || out.nodeId.startsWith('<') || to.nodeId.startsWith('<')) return null
  const answer = mayConnect(currentDocument(), nodes, group, `${out.nodeId}.${out.id}`, {
    step: to.nodeId,
    input: to.id ?? '',
  })
  if (answer === 'as is') return null
  const says = { map: words.perItem, wrap: words.asList }
  return (
    <div
      role="tooltip"
      className={style.why}
      data-bad={!fits(answer)}
      style={{ translate: `${pointer.x + 16}px ${pointer.y + 16}px` }}
    >
      {answer === 'map' || answer === 'wrap' ? says[answer] : answer}
    </div>
  )
}
