/** The colour and shape of each kind of port, so that no eye has to rely on colour alone. */
import { options, type Port } from '../model/ports'

/** The names of colours in `app/tokens.css`, which every theme has its own of. */
const COLOURS: Record<string, string> = {
  Image: 'image',
  Mask: 'mask',
  Latent: 'latent',
  Conditioning: 'conditioning',
  Denoiser: 'denoiser',
  TextEncoder: 'encoder',
  Vae: 'vae',
  ControlNet: 'guide',
  Guide: 'guide',
  Artifact: 'plain',
  Model: 'denoiser',
}
const OTHERS = 6
const SCALARS: Record<string, string> = { int: 'number', float: 'number', str: 'text', bool: 'bool' }
export const PLAIN = 'var(--port-plain)'
export const OUTSIDE = 'var(--port-outside)'

export type Shape = 'round' | 'square' | 'diamond' | 'triangle'

export function colourOf(port: Port): string {
  return `var(--port-${nameOf(kindOf(port))})`
}

function nameOf(kind: Port): string {
  if (kind.type === 'scalar') return SCALARS[kind.name] ?? 'plain'
  if (kind.type === 'menu') return 'text'
  if (kind.type !== 'class') return 'plain'
  const name = kind.ancestry.find((one) => one in COLOURS) ?? kind.ancestry[0] ?? ''
  const sum = [...name].reduce((total, letter) => total + letter.charCodeAt(0), 0)
  return COLOURS[name] ?? `other-${1 + (sum % OTHERS)}`
}

/** A colour as a canvas paints it: it knows nothing of tokens. */
export function painted(colour: string, dress: CSSStyleDeclaration): string {
  const token = /^var\((--[\w-]+)\)$/.exec(colour)?.[1]
  return token ? dress.getPropertyValue(token) : colour
}

/** Round: one value; square: a list; diamond: what can be typed in; triangle: a piece of graph. */
export function shapeOf(port: Port): Shape {
  const kinds = options(port).filter((one) => one.type !== 'none')
  if (kinds.some((one) => one.type === 'list')) return 'square'
  if (kinds.some((one) => one.type === 'piece')) return 'triangle'
  return kinds.every((one) => one.type === 'scalar' || one.type === 'menu') ? 'diamond' : 'round'
}

function kindOf(port: Port): Port {
  const [first] = options(port).filter((one) => one.type !== 'none')
  if (first?.type === 'list') return kindOf(first.item)
  if (first?.type === 'piece') return kindOf(first.gives)
  return first ?? port
}
