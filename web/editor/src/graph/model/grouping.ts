/** Steps put into a group of their own, and taken out again; every wire goes where it went. */
import type { Draft } from 'immer'
import { type At, all, type Change, remove } from './commands'
import type { Document, Graph, NamedInput, Step } from './document'
import { freeName, graphAt, graphs, split } from './document'
import { uses } from './groups'

export interface Made {
  change: Change
  /** Of the new group, and of the step that runs it. */
  group: string
  step: string
}

/** Make a group of some steps of a graph; `ends` says what a step gives, for a group that feeds nothing. */
export function makeGroup(
  document: Document,
  within: string,
  names: readonly string[],
  at: At,
  ends: (step: string) => readonly string[] = () => [],
): Made {
  const chosen = new Set(names)
  const graph = graphAt(document, within)
  const group = freeName('group', document.groups ?? {})
  const step = freeName(group, { ...graph.steps, ...document.steps })
  const inner: Required<Pick<Graph, 'steps' | 'inputs' | 'outputs'>> = { steps: {}, inputs: {}, outputs: {} }
  const wires: Record<string, string> = {}
  const takes = new Map<string, string>() // by the wire from outside
  for (const name of names) {
    const { wires: own, ...left } = structuredClone(graph.steps?.[name] ?? { node: '' })
    const kept: Record<string, string> = {}
    for (const [input, wire] of Object.entries(own ?? {})) {
      const from = split(wire)[0]
      if (wire.startsWith('#') || chosen.has(from) || !graph.steps?.[from]) {
        kept[input] = wire
        continue
      }
      const known = takes.get(wire) ?? freeName(input, inner.inputs)
      takes.set(wire, known)
      wires[known] = wire
      inner.inputs[known] = { to: [...(inner.inputs[known]?.to ?? []), `${name}.${input}`] }
    }
    inner.steps[name] = { ...left, ...(Object.keys(kept).length > 0 ? { wires: kept } : {}) }
  }
  const exposed = expose(graph, chosen, inner.inputs, step)
  const gives = new Map<string, string>() // by the wire from inside
  const give = (wire: string): string => {
    const [from, output] = split(wire)
    const name = gives.get(wire) ?? freeName(output === 'out' ? from : output, inner.outputs)
    gives.set(wire, name)
    inner.outputs[name] = wire
    return `${step}.${name}`
  }
  const outside = within === '' ? graphs(document) : [[within, graph] as const]
  const fed = outside.flatMap(([place, { steps }]) =>
    Object.entries(steps ?? {}).flatMap(([name, one]) =>
      place === within && chosen.has(name)
        ? []
        : Object.entries(one.wires ?? {})
            .filter(([, wire]) => !wire.startsWith('#') && chosen.has(split(wire)[0]))
            .filter(([, wire]) => place === within || !graphAt(document, place).steps?.[split(wire)[0]])
            .map(([input, wire]) => ({ place, name, input, wire: give(wire) })),
    ),
  )
  const named = Object.entries(graph.outputs ?? {})
    .filter(([, wire]) => chosen.has(split(wire)[0]))
    .map(([output, wire]) => [output, give(wire)] as const)
  if (gives.size === 0) for (const name of names) for (const output of ends(name)) give(`${name}.${output}`)

  const change: Change = (draft) => {
    draft.groups = { ...draft.groups, [group]: inner }
    const here = graphAt(draft, within)
    here.steps = {
      ...here.steps,
      [step]: { node: `group/${group}`, ...(Object.keys(wires).length > 0 ? { wires } : {}) },
    }
    for (const { place, name, input, wire } of fed) {
      const target = graphAt(draft, place).steps?.[name]
      if (target?.wires) target.wires[input] = wire
    }
    for (const [output, wire] of named) if (here.outputs) here.outputs[output] = wire
    for (const [name, input] of Object.entries(exposed)) if (here.inputs) here.inputs[name] = input
    const places = draft.layout?.[within]?.steps
    const moved = Object.fromEntries(
      names.flatMap((name) => (places?.[name] ? [[name, plain(places[name])]] : [])),
    )
    remove(within, names)(draft)
    draft.layout ??= {}
    if (Object.keys(moved).length > 0) draft.layout[group] = { steps: moved }
    draft.layout[within] = {
      ...draft.layout[within],
      steps: { ...draft.layout[within]?.steps, [step]: { at: [Math.round(at[0]), Math.round(at[1])] } },
    }
  }
  return { change, group, step }
}

/** Put what is in a group back in the place of the step that runs it. */
export function dissolveGroup(document: Document, within: string, name: string): Change {
  const graph = graphAt(document, within)
  const step = graph.steps?.[name]
  const group = step?.node.startsWith('group/') ? step.node.slice('group/'.length) : ''
  const inner = document.groups?.[group]
  if (!step || !inner) return () => {}
  const names: Record<string, string> = {}
  const taken: Record<string, unknown> = { ...document.steps, ...graph.steps }
  for (const one of Object.keys(inner.steps ?? {})) {
    names[one] = freeName(one, taken)
    taken[names[one]] = true
  }
  const renamed = (wire: string): string => {
    const [from, output] = split(wire)
    return wire.startsWith('#') || !names[from] ? wire : `${names[from]}.${output}`
  }
  const put = (draft: Draft<Document>): void => {
    const here = graphAt(draft, within)
    const steps: Record<string, Step> = { ...here.steps }
    for (const [one, each] of Object.entries(inner.steps ?? {})) {
      const made: Step = structuredClone(each)
      if (made.wires)
        made.wires = Object.fromEntries(Object.entries(made.wires).map(([to, wire]) => [to, renamed(wire)]))
      steps[names[one] ?? one] = made
    }
    for (const [input, { to }] of Object.entries(inner.inputs ?? {}))
      for (const port of to) {
        const [one, target] = split(port)
        const made = steps[names[one] ?? one]
        const [wire, value] = [step.wires?.[input], step.values?.[input]]
        if (made && wire) made.wires = { ...made.wires, [target]: wire }
        else if (made && value !== undefined) made.values = { ...made.values, [target]: value }
      }
    here.steps = steps
    for (const [where, place] of within === '' ? graphs(draft) : [[within, here] as const])
      for (const one of Object.values(place.steps ?? {}))
        for (const [to, wire] of Object.entries(one.wires ?? {}))
          if (one.wires && split(wire)[0] === name && (where === within || !place.steps?.[name]))
            one.wires[to] = given(inner, renamed, wire)
    for (const [output, wire] of Object.entries(here.outputs ?? {}))
      if (here.outputs && split(wire)[0] === name) here.outputs[output] = given(inner, renamed, wire)
    for (const input of Object.values(here.inputs ?? {}))
      input.to = input.to.flatMap((port) =>
        split(port)[0] === name ? (inner.inputs?.[split(port)[1]]?.to.map(renamed) ?? []) : [port],
      )
    place(draft)
  }
  const place = (draft: Draft<Document>): void => {
    const inside = document.layout?.[group]?.steps ?? {}
    const [x, y] = document.layout?.[within]?.steps?.[name]?.at ?? [0, 0]
    const left = Math.min(...Object.values(inside).map(({ at }) => at[0]))
    const top = Math.min(...Object.values(inside).map(({ at }) => at[1]))
    draft.layout ??= {}
    draft.layout[within] ??= {}
    const places = { ...draft.layout[within].steps }
    for (const [one, each] of Object.entries(inside))
      places[names[one] ?? one] = { ...each, at: [x + each.at[0] - left, y + each.at[1] - top] }
    draft.layout[within].steps = places
  }
  return all(put, remove(within, [name]), (draft) => {
    if (graphs(draft).some(([, one]) => uses(one, group))) return
    delete draft.groups?.[group]
    delete draft.layout?.[group]
  })
}

/** The outer graph's inputs that go into the chosen steps, now by way of the group. */
function expose(
  graph: Graph,
  chosen: ReadonlySet<string>,
  inputs: Record<string, NamedInput>,
  step: string,
): Record<string, NamedInput> {
  const changed: Record<string, NamedInput> = {}
  for (const [name, input] of Object.entries(graph.inputs ?? {})) {
    const inside = input.to.filter((port) => chosen.has(split(port)[0]))
    if (inside.length === 0) continue
    const own = freeName(name, inputs)
    inputs[own] = { to: inside }
    changed[name] = {
      ...structuredClone(input),
      to: [...input.to.filter((port) => !chosen.has(split(port)[0])), `${step}.${own}`],
    }
  }
  return changed
}

function given(inner: Graph, renamed: (wire: string) => string, wire: string): string {
  return renamed(inner.outputs?.[split(wire)[1]] ?? wire)
}

function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value))
}
