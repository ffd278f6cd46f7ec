import { useModels } from '../common/models'
import type { WidgetProps } from './Widget'

/** A model of this machine, by its name; another name can be typed as well. */
export function ModelInput({ id, schema, value, onChange, describedBy }: WidgetProps) {
  const kind = typeof schema['x-kind'] === 'string' ? schema['x-kind'] : ''
  const models = useModels(kind)
  const text = typeof value === 'string' ? value : ''
  return (
    <>
      <input
        id={id}
        className="field"
        list={`${id}-models`}
        value={text}
        aria-describedby={describedBy}
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id={`${id}-models`}>
        {models.map((model) => (
          <option key={model.name} value={model.name}>
            {model.layout}
          </option>
        ))}
      </datalist>
    </>
  )
}
