/** A workflow's named inputs as fields of a form: where they go says what they are. */
import type { Document, NamedInput } from './document'
import { split } from './document'
import type { InputSpec, Nodes } from './nodes'
import { inputOf } from './nodes'
import type { Json, Port } from './ports'

export interface Field {
  name: string
  title: string
  help: string
  port: Port
  schema: Record<string, Json>
  /** What counts if nothing is given; undefined if something must be. */
  value: Json | undefined
  section: string
  /** The input of a step that it goes to first. */
  place: string
}

/** The fields in the order of the file; those whose step or node is not here are left out. */
export function fields(document: Document, nodes: Nodes): Field[] {
  return Object.entries(document.inputs ?? {}).flatMap(([name, input]) => {
    const place = input.to[0]
    const found = place === undefined ? undefined : whereTo(document, nodes, place)
    if (!found) return []
    const { spec, typed } = found
    const title = input.title || sentence(name)
    const value = typed ?? spec.default
    return [
      {
        name,
        title,
        help: input.help ?? text(spec.schema.description),
        port: spec.port,
        schema: limited(spec.schema, input),
        value,
        section: input.section ?? '',
        place: place ?? '',
      },
    ]
  })
}

/** What a port takes, within the limits that the workflow sets. */
function limited(schema: Record<string, Json>, { least, most }: NamedInput): Record<string, Json> {
  return {
    ...schema,
    ...(least === undefined ? {} : { minimum: least }),
    ...(most === undefined ? {} : { maximum: most }),
    ...(least !== undefined && most !== undefined && !schema['x-widget'] ? { 'x-widget': 'slider' } : {}),
  }
}

/** "start_step" as "Start step". */
export function sentence(name: string): string {
  const plain = name.replaceAll('_', ' ')
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}

function whereTo(
  document: Document,
  nodes: Nodes,
  place: string,
  depth = 0,
): { spec: InputSpec; typed: Json | undefined } | null {
  const [name, input] = split(place)
  const step = document.steps?.[name]
  if (!step || depth > 16) return null
  const typed = step.values?.[input]
  if (step.node.startsWith('group/')) {
    const group = document.groups?.[step.node.slice('group/'.length)]
    const inner = group?.inputs?.[input]?.to[0]
    if (!group || inner === undefined) return null
    const found = whereTo(
      { ...document, steps: { ...document.steps, ...group.steps } },
      nodes,
      inner,
      depth + 1,
    )
    return found && { ...found, typed: typed ?? found.typed }
  }
  const spec = inputOf(nodes.get(step.node), input)
  return spec ? { spec, typed } : null
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
