import { Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { memo } from 'react'
import { useWords } from '../../common/words'
import { HEAD, PAD, ROW } from '../model/geometry'
import card from './Card.module.css'
import { PLAIN } from './ports'
import { TAKES } from './wires'

/** What a group takes, or what it gives; the last port makes a new one. */
export type EndsNode = Node<{ names: string[]; captures: string[] }, 'ends'>
export const NEW = '+'
export const ENDS_WIDTH = 180

export function endsHeight(lines: number): number {
  return HEAD + 2 * PAD + ROW * lines
}

export const Ends = memo(function Ends({ id, data: { names, captures } }: NodeProps<EndsNode>) {
  const { canvas: words } = useWords()
  const takes = id === TAKES
  const rows = [
    ...names.map((name) => ({ id: name, words: name })),
    { id: NEW, words: takes ? words.newInput : words.newOutput },
    ...captures.map((wire) => ({ id: `^${wire}`, words: words.fromOutside(wire.split('.')[0] ?? wire) })),
  ]
  return (
    <article
      className={card.card}
      data-ends="true"
      style={{ height: endsHeight(rows.length), width: ENDS_WIDTH }}
    >
      <header className={card.head}>
        <strong className={card.title}>{takes ? words.takes : words.gives}</strong>
      </header>
      {rows.map((row, index) => (
        <div key={row.id}>
          <span
            className={takes ? card.out : card.name}
            data-required={row.id !== NEW}
            style={{ top: HEAD + PAD + ROW * index + 4, height: 20 }}
          >
            {row.words}
          </span>
          <Handle
            type={takes ? 'source' : 'target'}
            id={row.id}
            position={takes ? Position.Right : Position.Left}
            className={card.port ?? ''}
            style={{ top: HEAD + PAD + ROW * index + ROW / 2, background: PLAIN }}
          />
        </div>
      ))}
    </article>
  )
})
