import { useEffect, useState } from 'react'
import { useWords } from '../common/words'
import type { Json } from '../graph/model/ports'
import type { WidgetProps } from './Widget'
import style from './widgets.module.css'

/** A number; with a slider where the node says that one helps. */
export function NumberInput({ id, schema, value, onChange, optional, describedBy }: WidgetProps) {
  const { widgets: words } = useWords()
  const whole = schema.type === 'integer' || kinds(schema).includes('integer')
  const [low, high] = [limit(schema, 'minimum'), limit(schema, 'maximum')]
  const step = number(schema['x-step']) ?? number(schema.multipleOf) ?? (whole ? 1 : undefined)
  const [typed, type] = useState(shown(value))
  useEffect(() => type((now) => (Number(now) === value && now !== '' ? now : shown(value))), [value])
  const say = (text: string) => {
    type(text)
    if (text.trim() === '') return optional ? onChange(null) : undefined
    const given = Number(text)
    if (Number.isFinite(given) && (!whole || Number.isInteger(given))) onChange(given)
  }
  const settle = () => {
    const given = Number(typed)
    if (typed.trim() === '' || !Number.isFinite(given)) return type(shown(value))
    const kept = Math.min(high ?? given, Math.max(low ?? given, whole ? Math.round(given) : given))
    type(shown(kept))
    if (kept !== value) onChange(kept)
  }
  const box = (
    <input
      id={id}
      className={`field ${style.number}`}
      inputMode={whole ? 'numeric' : 'decimal'}
      value={typed}
      placeholder={optional ? words.automatic : undefined}
      aria-describedby={describedBy}
      onChange={(event) => say(event.target.value)}
      onBlur={settle}
      onKeyDown={(event) => {
        const turn = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0
        if (turn === 0) return
        event.preventDefault()
        const next = round(
          (typeof value === 'number' ? value : (low ?? 0)) + turn * (step ?? 0.1) * (event.shiftKey ? 10 : 1),
        )
        onChange(Math.min(high ?? next, Math.max(low ?? next, next)))
      }}
    />
  )
  if (schema['x-widget'] !== 'slider' || low === undefined || high === undefined) return box
  return (
    <div className="spread">
      <input
        className={`grow ${style.slider}`}
        type="range"
        min={low}
        max={high}
        step={step ?? 'any'}
        value={typeof value === 'number' ? value : low}
        aria-labelledby={`${id}-label`}
        onChange={(event) => onChange(round(event.target.valueAsNumber))}
      />
      <div className={style.beside}>{box}</div>
    </div>
  )
}

function limit(schema: Record<string, Json>, name: string): number | undefined {
  return (
    number(schema[name]) ??
    variants(schema)
      .map((one) => number(one[name]))
      .find((found) => found !== undefined)
  )
}

function kinds(schema: Record<string, Json>): Json[] {
  return variants(schema).map((one) => one.type ?? null)
}

function variants(schema: Record<string, Json>): Record<string, Json>[] {
  return Array.isArray(schema.anyOf) ? (schema.anyOf as Record<string, Json>[]) : []
}

function number(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function shown(value: Json | undefined): string {
  return typeof value === 'number' ? String(value) : ''
}

/** Without the noise of binary fractions. */
function round(value: number): number {
  return Number(value.toFixed(6))
}
