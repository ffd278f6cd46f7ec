/** One control for every kind of input: the same on a card, in the inspector and in a form. */
import type { JSX } from 'react'
import type { Json, Port } from '../graph/model/ports'
import { options, present } from '../graph/model/ports'
import { FileInput } from './FileInput'
import { JsonInput } from './JsonInput'
import { Menu } from './Menu'
import { ModelInput } from './ModelInput'
import { NumberInput } from './NumberInput'
import { SeedInput } from './SeedInput'
import { TextInput } from './TextInput'
import { Toggle } from './Toggle'

export interface WidgetProps {
  /** Of the control's label. */
  id: string
  port: Port
  schema: Record<string, Json>
  /** undefined: nothing is typed in, and the node has no default. */
  value: Json | undefined
  onChange: (value: Json | undefined) => void
  /** Whether the input may be given nothing. */
  optional?: boolean
  describedBy?: string | undefined
}

/** The control that a person would expect for such a value. */
export function Widget(props: WidgetProps): JSX.Element {
  const Chosen = chosen(props.port, props.schema)
  return <Chosen {...props} port={present(props.port)} />
}

function chosen(port: Port, schema: Record<string, Json>): (props: WidgetProps) => JSX.Element {
  switch (schema['x-widget']) {
    case 'seed':
      return SeedInput
    case 'model':
      return ModelInput
  }
  const kinds = options(port).filter((one) => one.type !== 'none')
  const [kind] = kinds
  if (kinds.length !== 1 || !kind) return JsonInput
  if (kind.type === 'menu') return Menu
  if (kind.type === 'class') return kind.ancestry.includes('Artifact') ? FileInput : TextInput
  if (kind.type !== 'scalar') return JsonInput
  return { int: NumberInput, float: NumberInput, str: TextInput, bool: Toggle, json: JsonInput }[kind.name]
}
