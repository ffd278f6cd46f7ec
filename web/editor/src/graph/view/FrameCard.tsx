import { type Node, type NodeProps, NodeResizeControl } from '@xyflow/react'
import { X } from 'lucide-react'
import { memo } from 'react'
import { useWords } from '../../common/words'
import { IconButton } from '../../widgets/IconButton'
import * as commands from '../model/commands'
import type { Frame } from '../model/document'
import { currentDocument, perform } from '../store'
import style from './Canvas.module.css'

export type FrameNode = Node<{ group: string; name: string; frame: Frame }, 'frame'>

/** A titled frame around steps; what lies in it moves with it. */
export const FrameCard = memo(function FrameCard({ data: { group, name, frame } }: NodeProps<FrameNode>) {
  const { canvas: words, edits } = useWords()
  return (
    <section className={style.frame} aria-label={words.frame(frame.title)}>
      <header>
        <input
          className="nodrag"
          aria-label={words.frameTitle}
          value={frame.title}
          onChange={(event) =>
            perform(
              edits.title,
              commands.setFrame(group, name, { ...frame, title: event.target.value }),
              `frame ${name}`,
            )
          }
        />
        <IconButton
          label={words.unframe(frame.title)}
          icon={X}
          size={14}
          className="plain nodrag"
          onClick={() => perform(edits.unframe, commands.setFrame(group, name, null))}
        />
      </header>
      <NodeResizeControl
        minWidth={160}
        minHeight={100}
        className={style.corner ?? ''}
        onResizeEnd={(_, { width, height }) => {
          const now = currentDocument().layout?.[group]?.frames?.[name]
          if (now)
            perform(
              edits.resize,
              commands.setFrame(group, name, { ...now, size: [Math.round(width), Math.round(height)] }),
            )
        }}
      />
    </section>
  )
})
