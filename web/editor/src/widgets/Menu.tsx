import { useWords } from '../common/words'
import type { WidgetProps } from './Widget'

/** One of a few. */
export function Menu({ id, port, value, onChange, optional, describedBy }: WidgetProps) {
  const { widgets: words } = useWords()
  const choices = port.type === 'menu' ? port.options : []
  const place = choices.indexOf(value as never)
  return (
    <select
      id={id}
      className="field"
      value={place}
      aria-describedby={describedBy}
      onChange={(event) => onChange(choices[Number(event.target.value)] ?? null)}
    >
      {(optional || place < 0) && <option value={-1}>{optional ? words.automatic : words.choose}</option>}
      {choices.map((one, index) => (
        <option key={String(one)} value={index}>
          {String(one)}
        </option>
      ))}
    </select>
  )
}
