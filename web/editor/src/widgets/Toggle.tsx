import type { WidgetProps } from './Widget'
import style from './widgets.module.css'

/** Yes or no. */
export function Toggle({ id, value, onChange, describedBy }: WidgetProps) {
  return (
    <input
      id={id}
      type="checkbox"
      className={style.toggle}
      checked={value === true}
      aria-describedby={describedBy}
      onChange={(event) => onChange(event.target.checked)}
    />
  )
}
