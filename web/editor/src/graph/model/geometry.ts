/** How large a card is and where its ports are, computed from what it shows: nothing is measured in the page. */
import type { Document, Step } from './document'
import { graphAt } from './document'
import { type Body, bodiesOf, specOf } from './groups'
import type { InputSpec, NodeSpec, Nodes } from './nodes'
import { options, typeable } from './ports'

export const WIDTH = 260
export const HEAD = 34
export const ROW = 28
export const AREA = 84 // of a text of several lines
export const FILE = 118 // of a picture that can be dropped, and painted over
export const PAD = 8
export const PICTURE = 168
export const BODY_HEAD = 34

export interface Row {
  input: InputSpec
  /** Of the row's top, from the card's. */
  y: number
  height: number
  /** Whether a value can be typed in here. */
  typed: boolean
}
export interface Card {
  width: number
  height: number
  rows: Row[]
  /** Of each output's middle. */
  outputs: { name: string; y: number }[]
  /** The groups that it runs itself, as frames in it. */
  bodies: { body: Body; y: number; height: number }[]
}

/** The card of a step where it stands. */
export function cardOf(document: Document, nodes: Nodes, group: string, name: string): Card {
  const step = graphAt(document, group).steps?.[name] ?? { node: '' }
  const spec = specOf(document, nodes, step.node)
  const place = document.layout?.[group]?.steps?.[name]
  return card(step, spec, place?.collapsed, spec?.kind === 'effect', bodiesOf(document, step))
}

/** Of the middle of a captured wire's port in the frame of a body. */
export function captureAt(body: Body, index: number): number {
  return BODY_HEAD + ROW * (body.takes.length + index) + ROW / 2
}

/** The layout of one card. Wires that only fine-tune are folded away until they are used or `all` is asked for. */
export function card(
  step: Step,
  spec: NodeSpec | undefined,
  collapsed = false,
  picture = false,
  inside: Body[] = [],
): Card {
  if (!spec) return unknown(step)
  if (collapsed) {
    const y = HEAD / 2
    return {
      width: WIDTH,
      height: HEAD,
      rows: spec.inputs.map((input) => ({ input, y: 0, height: HEAD, typed: false })),
      outputs: spec.outputs.map(({ name }) => ({ name, y })),
      bodies: inside.map((body) => ({ body, y: 0, height: 0 })),
    }
  }
  let y = HEAD + PAD
  const outputs = spec.outputs.map(({ name }, index) => ({ name, y: y + ROW * index + ROW / 2 }))
  const wired = spec.inputs.filter((input) => !typeable(input.port))
  const typed = spec.inputs.filter((input) => typeable(input.port))
  const rows: Row[] = wired.map((input, index) => ({ input, y: y + ROW * index, height: ROW, typed: false }))
  y += ROW * Math.max(wired.length, outputs.length)
  for (const input of typed) {
    const height = step.wires?.[input.name] ? ROW : tall(input)
    rows.push({ input, y, height, typed: !step.wires?.[input.name] })
    y += height
  }
  const bodies = inside.map((body) => {
    const lines = Math.max(body.takes.length + body.captures.length, body.gives.length)
    const height = BODY_HEAD + ROW * lines + PAD
    const made = { body, y: y + PAD / 2, height }
    y += height + PAD
    return made
  })
  return { width: WIDTH, height: y + PAD + (picture ? PICTURE : 0), rows, outputs, bodies }
}

/** How high an input is that is typed in. */
function tall({ port, schema }: InputSpec): number {
  if (schema['x-widget'] === 'text') return AREA
  return options(port).some((one) => one.type === 'class' && one.ancestry.includes('Artifact')) ? FILE : ROW
}

/** A node that is not here: the ports that its wires name are shown all the same. */
function unknown(step: Step): Card {
  const rows = Object.keys(step.wires ?? {}).map((name, index) => ({
    input: { name, port: { type: 'var' as const, name: 'T' }, schema: {}, required: false },
    y: HEAD + PAD + ROW * index,
    height: ROW,
    typed: false,
  }))
  return {
    width: WIDTH,
    height: HEAD + 2 * PAD + ROW * Math.max(1, rows.length),
    rows,
    outputs: [],
    bodies: [],
  }
}
