/** What differs between two workflows, in words: one line for each thing that somebody would say was changed. */
import { words } from '../../common/words'
import type { Document, Graph, NamedInput, Step } from './document'
import { graphs, write } from './document'
import { sentence } from './form'
import type { Json } from './ports'

export type Kind = 'added' | 'removed' | 'changed'
export interface Difference {
  kind: Kind
  /** Where it is: a step of a group, if it is one of a step. */
  group: string
  step: string
  says: string
}

const does = () => words().differences
const OWN = new Set(['tessera', 'title', 'steps', 'inputs', 'outputs', 'groups', 'layout'])
const LONGEST = 80

/** Everything that is different in `to`; nothing exactly if both are the same file. */
export function diff(from: Document, to: Document): Difference[] {
  if (write(from) === write(to)) return []
  const found: Difference[] = []
  const say = (kind: Kind, says: string, group = '', step = '') => found.push({ kind, group, step, says })
  if (from.title !== to.title) say('changed', does().title(to.title ?? '', from.title ?? ''))
  const [before, after] = [new Map(graphs(from)), new Map(graphs(to))]
  for (const name of before.keys()) if (!after.has(name)) say('removed', does().groupGone(name))
  for (const [name, graph] of after) {
    const old = before.get(name)
    if (!old) say('added', does().groupNew(name, Object.keys(graph.steps ?? {}).length))
    else found.push(...inGraph(name, old, graph))
    const moved = laidOut(from, to, name)
    if (moved && (old || name === '')) say('changed', moved, name)
  }
  for (const field of new Set([...Object.keys(from), ...Object.keys(to)]))
    if (!OWN.has(field) && !same(part(from, field), part(to, field))) say('changed', does().field(field))
  if (found.length === 0) say('changed', does().order)
  return found
}

function inGraph(group: string, from: Graph, to: Graph): Difference[] {
  const found: Difference[] = []
  const say = (kind: Kind, says: string, step = '') => found.push({ kind, group, step, says })
  const renamed = renames(from, to)
  const now = (name: string) => renamed.get(name) ?? name
  for (const [old, name] of renamed) say('changed', does().renamed(old, name), name)
  for (const [name, step] of Object.entries(from.steps ?? {})) {
    const other = to.steps?.[now(name)]
    if (!other) say('removed', does().gone(name, step.node), name)
    else for (const says of inStep(now(name), step, other, now)) say('changed', says, now(name))
  }
  const kept = new Set(Object.keys(from.steps ?? {}).map(now))
  for (const [name, step] of Object.entries(to.steps ?? {}))
    if (!kept.has(name)) say('added', does().fresh(name, step.node), name)
  found.push(...inForm(group, from.inputs ?? {}, to.inputs ?? {}, now))
  for (const [name, wire] of Object.entries(from.outputs ?? {})) {
    const other = to.outputs?.[name]
    if (other === undefined) say('removed', does().noOutput(name))
    else if (other !== renamedWire(wire, now)) say('changed', does().otherOutput(name, other, wire))
  }
  for (const [name, wire] of Object.entries(to.outputs ?? {}))
    if (from.outputs?.[name] === undefined) say('added', does().output(name, wire))
  return found
}

function inStep(name: string, from: Step, to: Step, now: (name: string) => string): string[] {
  const found: string[] = []
  if (from.node !== to.node) found.push(does().node(name, to.node, from.node))
  if (from.version !== to.version) found.push(does().version(name, number(to.version), number(from.version)))
  if (from.off !== to.off) found.push(does().off(name, state(to.off), state(from.off)))
  for (const input of keys(from.wires, to.wires)) {
    const [old, wire] = [from.wires?.[input], to.wires?.[input]]
    if (old !== undefined && wire !== undefined && renamedWire(old, now) !== wire)
      found.push(does().otherWire(`${name} · ${sentence(input)}`, wire, old))
    else if (old === undefined) found.push(does().wire(`${name} · ${sentence(input)}`, wire ?? ''))
    else if (wire === undefined) found.push(does().noWire(`${name} · ${sentence(input)}`, old))
  }
  for (const input of keys(from.values, to.values)) {
    const [old, value] = [from.values?.[input], to.values?.[input]]
    if (same(old, value)) continue
    if (old === undefined) found.push(does().value(`${name} · ${sentence(input)}`, shown(value)))
    else if (value === undefined) found.push(does().noValue(`${name} · ${sentence(input)}`, shown(old)))
    else found.push(`${name} · ${sentence(input)}: ${shown(old)} → ${shown(value)}`)
  }
  return found
}

function inForm(
  group: string,
  from: Record<string, NamedInput>,
  to: Record<string, NamedInput>,
  now: (name: string) => string,
): Difference[] {
  const found: Difference[] = []
  const say = (kind: Kind, says: string) => found.push({ kind, group, step: '', says })
  for (const name of keys(from, to)) {
    const [old, input] = [from[name], to[name]]
    if (!input) say('removed', does().outOfForm(sentence(name)))
    else if (!old) say('added', does().inForm(sentence(name)))
    else if (old.title !== input.title) say('changed', does().titled(sentence(name), input.title ?? ''))
    else if (
      !same(
        old.to.map((port) => renamedWire(port, now)),
        input.to,
      )
    )
      say('changed', does().sets(sentence(name), input.to.join(', ')))
    else if (!same({ ...old, to: [] }, { ...input, to: [] })) say('changed', does().described(sentence(name)))
  }
  const order = (one: object, other: object) => Object.keys(one).filter((name) => name in other)
  if (!same(order(from, to), order(to, from))) say('changed', does().formOrder)
  return found
}

/** Steps that are the same under another name: gone here and new there, with all else equal. */
function renames(from: Graph, to: Graph): Map<string, string> {
  const found = new Map<string, string>()
  const fresh = Object.entries(to.steps ?? {}).filter(([name]) => !(name in (from.steps ?? {})))
  for (const [old, step] of Object.entries(from.steps ?? {})) {
    if (old in (to.steps ?? {})) continue
    const at = fresh.findIndex(([, other]) => alike(step, other))
    if (at >= 0) found.set(old, (fresh.splice(at, 1)[0] as [string, Step])[0])
  }
  return found
}

function alike(one: Step, other: Step): boolean {
  return (
    one.node === other.node &&
    same(one.values, other.values) &&
    same(Object.keys(one.wires ?? {}), Object.keys(other.wires ?? {}))
  )
}

function laidOut(from: Document, to: Document, group: string): string | null {
  const [old, now] = [from.layout?.[group], to.layout?.[group]]
  if (same(old, now)) return null
  const moved = keys(old?.steps, now?.steps).filter(
    (name) => old?.steps?.[name] && now?.steps?.[name] && !same(old.steps[name], now.steps[name]),
  ).length
  return moved > 0 ? does().moved(moved) : does().layout
}

function renamedWire(wire: string, now: (name: string) => string): string {
  const dot = wire.indexOf('.')
  return dot < 0 || wire.startsWith('#') ? wire : `${now(wire.slice(0, dot))}${wire.slice(dot)}`
}

function keys(...all: (object | undefined)[]): string[] {
  return [...new Set(all.flatMap((one) => Object.keys(one ?? {})))]
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function part(document: Document, field: string): unknown {
  return (document as unknown as Record<string, unknown>)[field]
}

function number(version: number | undefined): string {
  return version === undefined ? does().none : String(version)
}

function state(off: Step['off']): string {
  return off === 'mute' ? does().muted : off === 'bypass' ? does().bypassed : does().on
}

function shown(value: Json | undefined): string {
  const text = typeof value === 'string' ? does().quoted(value) : JSON.stringify(value)
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
}
