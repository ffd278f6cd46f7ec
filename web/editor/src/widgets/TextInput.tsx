import { useLayoutEffect, useRef } from 'react'
import { weigh } from '../common/weights'
import type { WidgetProps } from './Widget'

const TALLEST = 320

/** A line of words, or as many as are typed where the node expects a text. */
export function TextInput({ id, schema, value, onChange, describedBy }: WidgetProps) {
  const area = useRef<HTMLTextAreaElement>(null)
  const chosen = useRef<[number, number] | null>(null)
  const text = typeof value === 'string' ? value : ''
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    if (!area.current) return
    area.current.style.height = 'auto'
    area.current.style.height = `${Math.min(TALLEST, area.current.scrollHeight + 2)}px`
    if (chosen.current) area.current.setSelectionRange(...chosen.current)
    chosen.current = null
  }, [text])
  if (schema['x-widget'] !== 'text')
    return (
      <input
        id={id}
        className="field"
        value={text}
        aria-describedby={describedBy}
        onChange={(event) => onChange(event.target.value)}
      />
    )
  return (
    <textarea
      ref={area}
      id={id}
      className="field"
      rows={2}
      value={text}
      aria-describedby={describedBy}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        if (!(event.ctrlKey || event.metaKey) || !['ArrowUp', 'ArrowDown'].includes(event.key)) return
        event.preventDefault()
        const { selectionStart: start, selectionEnd: end } = event.currentTarget
        const next = weigh({ text, start, end }, event.key === 'ArrowUp')
        if (!next) return
        chosen.current = [next.start, next.end]
        onChange(next.text)
      }}
    />
  )
}
