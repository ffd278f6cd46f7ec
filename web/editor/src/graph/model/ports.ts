/** Port types as the server describes them, and the one rule by which an output may feed an input. */

import { words as spoken } from '../../common/words'

export type Plain = 'int' | 'float' | 'str' | 'bool' | 'json'
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Scalar {
  type: 'scalar'
  name: Plain
  ge?: number
  gt?: number
  le?: number
  lt?: number
  multiple_of?: number
  pattern?: string
  min_length?: number
  max_length?: number
}
export interface Menu {
  type: 'menu'
  options: (string | number | boolean)[]
}
export interface Class {
  type: 'class'
  ancestry: string[]
}
export interface Nothing {
  type: 'none'
}
export interface Var {
  type: 'var'
  name: string
  of?: Port
}
export interface ListOf {
  type: 'list'
  item: Port
}
export interface Either {
  type: 'union'
  options: Port[]
}
export interface Piece {
  type: 'piece'
  takes: Port[]
  gives: Port
}
export type Port = Scalar | Menu | Class | Nothing | Var | ListOf | Either | Piece

/** What each type variable of one node stands for so far. */
export type Bound = Map<string, Port>
export type Fit = 'as is' | 'map' | 'wrap'

/**
 * How a wire from `source` to `target` works, or null if it does not: "map" runs the node once per item of a
 * list, "wrap" makes a list of one. Variables in `target` are bound into `bound` when the wire fits. The same
 * rule as the planner's; `tests/unit/wires.json` holds both to it.
 */
export function suits(source: Port, target: Port, bound: Bound = new Map()): Fit | null {
  if (settle(source, target, bound)) return 'as is'
  if (source.type === 'list' && settle(source.item, target, bound)) return 'map'
  if (options(target).some((wanted) => wanted.type === 'list' && settle(source, wanted.item, bound)))
    return 'wrap'
  return null
}

/** The types that a type is one of. */
export function options(port: Port): Port[] {
  return port.type === 'union' ? port.options : [port]
}

/** The type with its variables replaced by what they are bound to. */
export function substitute(port: Port, bound: Bound): Port {
  switch (port.type) {
    case 'var':
      return bound.get(port.name) ?? port
    case 'list':
      return { type: 'list', item: substitute(port.item, bound) }
    case 'union':
      return { type: 'union', options: port.options.map((one) => substitute(one, bound)) }
    case 'piece':
      return {
        type: 'piece',
        takes: port.takes.map((one) => substitute(one, bound)),
        gives: substitute(port.gives, bound),
      }
    default:
      return port
  }
}

export function optional(port: Port): boolean {
  return options(port).some((one) => one.type === 'none')
}

/** The type without "nothing". */
export function present(port: Port): Port {
  const left = options(port).filter((one) => one.type !== 'none')
  return left.length === 1 && left[0] ? left[0] : { type: 'union', options: left }
}

/** Whether a person can type such a value into a form. */
export function typeable(port: Port): boolean {
  switch (port.type) {
    case 'scalar':
    case 'menu':
    case 'none':
      return true
    case 'class':
      return port.ancestry.includes('Artifact') || port.ancestry.includes('Secret')
    case 'list':
      return typeable(port.item)
    case 'union':
      return port.options.some((one) => one.type !== 'none' && typeable(one))
    default:
      return false
  }
}

/** The type as a person would say it. */
export function words(port: Port): string {
  const { types } = spoken()
  switch (port.type) {
    case 'scalar':
      return types[port.name]
    case 'menu':
      return types.oneOf(port.options.join(', '))
    case 'class':
      return port.ancestry[0] ?? types.value
    case 'none':
      return types.nothing
    case 'var':
      return port.of ? words(port.of) : types.anything
    case 'list':
      return types.list(words(port.item))
    case 'union':
      return port.options.map(words).join(types.or)
    case 'piece':
      return types.piece(words(port.gives))
  }
}

/** As `same`, but what is tried in vain binds nothing. */
function settle(source: Port, target: Port, bound: Bound): boolean {
  const trial = new Map(bound)
  if (!same(source, target, trial)) return false
  for (const [name, port] of trial) bound.set(name, port)
  return true
}

/** Whether every value of `source` is a value of `target`. */
export function same(source: Port, target: Port, bound: Bound): boolean {
  if (target.type === 'var') return sameVar(source, target, bound)
  if (target.type === 'union') return sameEither(source, target, bound)
  if (source.type === 'union') return source.options.every((one) => same(one, target, bound))
  switch (source.type) {
    case 'class':
      return target.type === 'class' && source.ancestry.includes(target.ancestry[0] ?? '')
    case 'menu':
      if (target.type === 'menu') return source.options.every((one) => target.options.includes(one))
      return source.options.every((one) => same({ type: 'scalar', name: plainName(one) }, target, bound))
    case 'scalar':
      if (target.type !== 'scalar') return false
      return [source.name, 'json'].includes(target.name) || (source.name === 'int' && target.name === 'float')
    case 'list':
      if (target.type === 'list') return same(source.item, target.item, bound)
      return target.type === 'scalar' && target.name === 'json' && same(source.item, target, bound)
    case 'none':
      return target.type === 'none' || (target.type === 'scalar' && target.name === 'json')
    case 'piece':
      return target.type === 'piece' && equal(source, target)
    default:
      return false
  }
}

/** Each option of the source to an option of the target; a variable takes together what is left. */
function sameEither(source: Port, target: Either, bound: Bound): boolean {
  const plain = target.options.filter((one) => one.type !== 'var')
  const left = options(source).filter((one) => !plain.some((wanted) => settle(one, wanted, bound)))
  const [first] = left
  if (!first) return true
  const rest: Port = left.length === 1 ? first : { type: 'union', options: left }
  return target.options.some((one) => one.type === 'var' && settle(rest, one, bound))
}

function sameVar(source: Port, target: Var, bound: Bound): boolean {
  if (options(source).some((one) => one.type === 'list')) return false // a list is mapped over, never bound
  if (target.of && !same(source, target.of, new Map())) return false
  const known = bound.get(target.name)
  if (known && same(source, known, new Map())) return true
  if (known && !same(known, source, new Map())) return false
  bound.set(target.name, source) // a whole number first, a number next: the wider one holds both
  return true
}

function plainName(value: string | number | boolean): Plain {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'str'
  return Number.isInteger(value) ? 'int' : 'float'
}

function equal(one: Port, other: Port): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
