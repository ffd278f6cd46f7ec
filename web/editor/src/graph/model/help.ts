/** What is known of a node's inputs, in words: what goes in, within which limits, and what counts if nothing is given. */
import { words as spoken } from '../../common/words'
import type { InputSpec, NodeSpec } from './nodes'
import { type Json, options, type Port, present, words } from './ports'

/** The help without its first line, as paragraphs; lines within one are joined. */
export function details({ help }: NodeSpec): string[] {
  return help
    .split('\n')
    .slice(1)
    .join('\n')
    .split(/\n\s*\n/)
    .map((part) => part.replace(/\s*\n\s*/g, ' ').trim())
    .filter(Boolean)
}

/** "whole number, 1 to 150, 20 if nothing is given" */
export function limits({ port, schema, required, default: own }: InputSpec): string {
  return [kind(port, schema), range(port, schema), standard(required, own)].filter(Boolean).join(', ')
}

const says = () => spoken().help
const MANY = 6

function kind(port: Port, schema: Record<string, Json>): string {
  if (schema['x-widget'] === 'seed') return says().seed
  if (schema['x-widget'] === 'model') return says().model
  const bare = present(port)
  if (bare.type === 'menu' && bare.options.length > MANY) return says().oneOf(bare.options.length)
  return words(bare)
}

function range(port: Port, schema: Record<string, Json>): string {
  if (schema['x-widget'] === 'seed') return ''
  const scalar = options(port).find((one) => one.type === 'scalar')
  const [low, high] = [
    number(schema.minimum) ?? scalar?.ge ?? scalar?.gt,
    number(schema.maximum) ?? scalar?.le ?? scalar?.lt,
  ]
  const steps = scalar?.multiple_of ? says().steps(said(scalar.multiple_of)) : ''
  if (low !== undefined && high !== undefined) return says().between(said(low), said(high), steps)
  if (low !== undefined) return says().least(said(low), steps)
  return high !== undefined ? says().most(said(high), steps) : steps.trim()
}

function standard(required: boolean, own: Json | undefined): string {
  if (required || own === undefined) return required ? says().needed : ''
  if (own === null) return says().left
  if (own === '') return says().empty
  return says().given(typeof own === 'object' ? JSON.stringify(own) : String(own))
}

function number(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function said(value: number): string {
  return value.toLocaleString(spoken().app.language, { maximumFractionDigits: 6 })
}
