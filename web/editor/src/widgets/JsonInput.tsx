import { useEffect, useState } from 'react'
import { useWords } from '../common/words'
import type { WidgetProps } from './Widget'

/** Anything that can be written as JSON: lists, numbers, objects. */
export function JsonInput({ id, value, onChange, optional, describedBy }: WidgetProps) {
  const { widgets: words } = useWords()
  const shown = value === undefined ? '' : JSON.stringify(value)
  const [typed, type] = useState(shown)
  const [wrong, setWrong] = useState('')
  useEffect(() => type(shown), [shown])
  const settle = () => {
    if (typed.trim() === '') return onChange(optional ? null : undefined)
    try {
      onChange(JSON.parse(typed))
      setWrong('')
    } catch {
      setWrong(words.noJson)
    }
  }
  return (
    <>
      <input
        id={id}
        className="field"
        value={typed}
        spellCheck={false}
        aria-invalid={wrong !== ''}
        aria-describedby={describedBy}
        onChange={(event) => type(event.target.value)}
        onBlur={settle}
      />
      {wrong && (
        <p role="alert" className="small" style={{ color: 'var(--bad)' }}>
          {wrong}
        </p>
      )}
    </>
  )
}
