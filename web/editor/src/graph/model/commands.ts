/** Everything that can be done to a workflow, each as a small change of the document. */

import type { Draft } from 'immer'
import { words } from '../../common/words'
import type { Document, Frame, Graph, Layout, NamedInput, Place, Step } from './document'
import { freeName, graphAt, graphs, isName, split } from './document'
import type { NodeSpec } from './nodes'
import type { Json } from './ports'

export type Change = (document: Draft<Document>) => void
export type At = [x: number, y: number]

/** Add a step of a node; answers the change and the step's name. */
export function add(
  document: Document,
  group: string,
  spec: NodeSpec,
  at: At,
  values?: Record<string, Json>,
): [Change, string] {
  const taken = { ...graphAt(document, group).steps, ...(group ? document.steps : {}) }
  const name = freeName(spec.id.slice(spec.id.lastIndexOf('/') + 1), taken)
  const step: Step = { node: spec.id, version: spec.version, ...(values ? { values } : {}) }
  return [
    (draft) => {
      steps(draft, group)[name] = structuredClone(step)
      placeOf(draft, group, name).at = [...at]
    },
    name,
  ]
}

/** Remove steps, the wires from them, and what is exposed of them. */
export function remove(group: string, names: readonly string[]): Change {
  return (draft) => {
    const gone = new Set(names)
    const graph = graphAt(draft, group)
    for (const name of names) {
      delete graph.steps?.[name]
      delete layoutOf(draft, group).steps?.[name]
    }
    unroute(draft, group, (port) => gone.has(split(port)[0]))
    for (const [place, own] of seeing(draft, group))
      unwire(place, (wire) => gone.has(split(wire)[0]) && !own(split(wire)[0]))
    unexpose(graph, (port) => gone.has(split(port)[0]))
    tidy(draft, group)
  }
}

/** Remove a step and join what came into it with what it fed, where both are one wire of a kind. */
export function dissolve(group: string, name: string, through: string | null): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    if (through !== null)
      for (const step of Object.values(graph.steps ?? {}))
        for (const [input, wire] of Object.entries(step.wires ?? {}))
          if (split(wire)[0] === name && step.wires) step.wires[input] = through
    remove(group, [name])(draft)
  }
}

export function connect(group: string, from: string, to: { step: string; input: string }): Change {
  return (draft) => {
    const step = stepOf(draft, group, to.step)
    step.wires = { ...step.wires, [to.input]: from }
  }
}

export function disconnect(group: string, to: { step: string; input: string }): Change {
  return (draft) => {
    const step = stepOf(draft, group, to.step)
    if (step.wires) drop(step, 'wires', to.input)
    delete draft.layout?.[group]?.reroutes?.[`${to.step}.${to.input}`]
    tidy(draft, group)
  }
}

/** Lead a wire, named by the input that it goes to, by way of these points. */
export function setReroutes(group: string, wire: string, by: readonly At[]): Change {
  return (draft) => {
    const layout = layoutOf(draft, group)
    if (by.length > 0) layout.reroutes = { ...layout.reroutes, [wire]: by.map((at) => [...at]) }
    else delete layout.reroutes?.[wire]
    tidy(draft, group)
  }
}

/** Put a step into a wire: what fed `to` feeds its input, and its output feeds `to`. */
export function insert(
  group: string,
  name: string,
  through: { input: string; output: string },
  to: { step: string; input: string },
): Change {
  return (draft) => {
    const wire = stepOf(draft, group, to.step).wires?.[to.input]
    if (wire === undefined) return
    disconnect(group, to)(draft)
    connect(group, wire, { step: name, input: through.input })(draft)
    connect(group, `${name}.${through.output}`, to)(draft)
  }
}

/** Make an empty group for a step that runs one, with as many ends as it hands over. */
export function addBody(document: Document, within: string, to: { step: string; input: string }): Change {
  const name = freeName(to.input, document.groups ?? {})
  return (draft) => {
    draft.groups = { ...draft.groups, [name]: { steps: {}, inputs: {}, outputs: {} } }
    connect(within, `#${name}`, to)(draft)
  }
}

/** Type in a value; undefined goes back to the node's own. */
export function setValue(group: string, name: string, input: string, value: Json | undefined): Change {
  return (draft) => {
    const step = stepOf(draft, group, name)
    if (value === undefined) drop(step, 'values', input)
    else step.values = { ...step.values, [input]: value }
  }
}

export function setOff(group: string, names: readonly string[], off: 'mute' | 'bypass' | undefined): Change {
  return (draft) => {
    for (const name of names) {
      const step = stepOf(draft, group, name)
      if (off === undefined) delete step.off
      else step.off = off
    }
  }
}

export function move(group: string, places: Record<string, At>): Change {
  return (draft) => {
    for (const [name, at] of Object.entries(places))
      placeOf(draft, group, name).at = [Math.round(at[0]), Math.round(at[1])]
  }
}

export function setPlace(
  group: string,
  name: string,
  change: { [key in keyof Place]?: Place[key] | undefined },
): Change {
  return (draft) => {
    const place = placeOf(draft, group, name)
    for (const [key, value] of Object.entries(change))
      if (value === undefined || value === false) delete place[key as keyof Place]
      else Object.assign(place, { [key]: value })
  }
}

export function setTitle(title: string): Change {
  return (draft) => {
    draft.title = title
  }
}

export function setGroupTitle(group: string, title: string): Change {
  return (draft) => {
    const found = graphAt(draft, group)
    if (title) found.title = title
    else delete found.title
  }
}

/** Make it an app, or none. */
export function setPublished(yes: boolean): Change {
  return (draft) => {
    if (yes) delete draft.published
    else draft.published = false
  }
}

/** Rename a step everywhere it is named. */
export function rename(group: string, from: string, to: string): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    if (!isName(to)) throw new Error(words().checks.name)
    if (graph.steps && to in graph.steps) throw new Error(words().checks.stepThere(to))
    if (graph.steps) graph.steps = renamed(graph.steps, from, to)
    const layout = layoutOf(draft, group)
    if (layout.steps) layout.steps = renamed(layout.steps, from, to)
    const other = (port: string) => (split(port)[0] === from ? `${to}.${split(port)[1]}` : port)
    for (const [place, own] of seeing(draft, group))
      for (const step of Object.values(place.steps ?? {}))
        for (const [input, wire] of Object.entries(step.wires ?? {}))
          if (step.wires && !wire.startsWith('#') && !own(split(wire)[0])) step.wires[input] = other(wire)
    for (const input of Object.values(graph.inputs ?? {})) input.to = input.to.map(other)
    for (const [name, wire] of Object.entries(graph.outputs ?? {}))
      if (graph.outputs) graph.outputs[name] = other(wire)
    if (layout.reroutes)
      layout.reroutes = Object.fromEntries(
        Object.entries(layout.reroutes).map(([port, by]) => [other(port), by]),
      )
    tidy(draft, group)
  }
}

/** Make an input of a step one of the workflow's (or the group's) own, under a name; or one that is there go there too. */
export function expose(group: string, name: string, port: string, more: Partial<NamedInput> = {}): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    graph.inputs ??= {}
    const known = graph.inputs[name]
    if (known) known.to = [...new Set([...known.to, port])]
    else graph.inputs[name] = { to: [port], ...more }
  }
}

/** Let an input of the graph no longer go to this port. */
export function unpromote(group: string, port: string): Change {
  return (draft) => {
    const inputs = graphAt(draft, group).inputs ?? {}
    for (const [name, input] of Object.entries(inputs)) {
      if (!input.to.includes(port)) continue
      input.to = input.to.filter((one) => one !== port)
      if (input.to.length === 0) delete inputs[name]
    }
  }
}

export function setInput(
  group: string,
  name: string,
  change: { [key in keyof NamedInput]?: NamedInput[key] | undefined },
): Change {
  return (draft) => {
    const input = graphAt(draft, group).inputs?.[name]
    if (!input) return
    for (const [key, value] of Object.entries(change))
      if (value === undefined || value === '') delete input[key as keyof NamedInput]
      else Object.assign(input, { [key]: value })
  }
}

export function renameInput(group: string, from: string, to: string): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    if (!isName(to)) throw new Error(words().checks.name)
    if (graph.inputs && to in graph.inputs) throw new Error(words().checks.inputThere(to))
    if (graph.inputs) graph.inputs = renamed(graph.inputs, from, to)
  }
}

export function hideInput(group: string, name: string): Change {
  return (draft) => {
    delete graphAt(draft, group).inputs?.[name]
  }
}

export function exposeOutput(group: string, name: string, wire: string): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    graph.outputs = { ...graph.outputs, [name]: wire }
  }
}

export function renameOutput(group: string, from: string, to: string): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    if (!isName(to)) throw new Error(words().checks.name)
    if (graph.outputs && to in graph.outputs) throw new Error(words().checks.outputThere(to))
    if (graph.outputs) graph.outputs = renamed(graph.outputs, from, to)
  }
}

export function hideOutput(group: string, name: string): Change {
  return (draft) => {
    delete graphAt(draft, group).outputs?.[name]
  }
}

/** Bring a named thing before another, or to the end. The order of inputs is that of the form. */
export function reorderInput(group: string, name: string, before: string | null): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    if (graph.inputs?.[name]) graph.inputs = ordered(graph.inputs, name, before)
  }
}

/** Bring an output before another, or to the end. The first one is what Create shows. */
export function reorderOutput(group: string, name: string, before: string | null): Change {
  return (draft) => {
    const graph = graphAt(draft, group)
    const wire = graph.outputs?.[name]
    if (wire !== undefined) graph.outputs = ordered(graph.outputs ?? {}, name, before)
  }
}

function ordered<T>(all: Record<string, T>, name: string, before: string | null): Record<string, T> {
  const left = Object.entries(all).filter(([other]) => other !== name)
  const where = before === null ? left.length : left.findIndex(([other]) => other === before)
  left.splice(where < 0 ? left.length : where, 0, [name, all[name] as T])
  return Object.fromEntries(left)
}

export function setFrame(group: string, name: string, frame: Frame | null): Change {
  return (draft) => {
    const layout = layoutOf(draft, group)
    if (frame) layout.frames = { ...layout.frames, [name]: frame }
    else delete layout.frames?.[name]
    tidy(draft, group)
  }
}

/** Type in what a run was given for the workflow's inputs. */
export function given(inputs: Record<string, Json>): Change {
  return (draft) => {
    for (const [name, value] of Object.entries(inputs))
      for (const port of draft.inputs?.[name]?.to ?? []) {
        const [step, input] = split(port)
        const found = draft.steps?.[step]
        if (found && !same(found.values?.[input], value)) found.values = { ...found.values, [input]: value }
      }
  }
}

/** All of these, one after the other. */
export function all(...changes: Change[]): Change {
  return (draft) => {
    for (const change of changes) change(draft)
  }
}

function steps(draft: Draft<Document>, group: string): Record<string, Step> {
  const graph = graphAt(draft, group)
  graph.steps ??= {}
  return graph.steps
}

function stepOf(draft: Draft<Document>, group: string, name: string): Step {
  const found = graphAt(draft, group).steps?.[name]
  if (!found) throw new Error(words().checks.noStep(name))
  return found
}

function layoutOf(draft: Draft<Document>, group: string): Layout {
  draft.layout ??= {}
  draft.layout[group] ??= {}
  return draft.layout[group]
}

function placeOf(draft: Draft<Document>, group: string, name: string): Place {
  const layout = layoutOf(draft, group)
  layout.steps ??= {}
  layout.steps[name] ??= { at: [0, 0] }
  return layout.steps[name]
}

/**
 * The graphs whose steps may be wired to steps of this one, each with what in it hides a step of this one:
 * itself, and for the workflow every group.
 */
function seeing(draft: Draft<Document>, group: string): [Graph, (step: string) => boolean][] {
  if (group !== '') return [[graphAt(draft, group), () => false]]
  return graphs(draft).map(([name, graph]) => [
    graph,
    (step) => name !== '' && graph.steps !== undefined && step in graph.steps,
  ])
}

function unroute(draft: Draft<Document>, group: string, gone: (port: string) => boolean): void {
  const reroutes = draft.layout?.[group]?.reroutes
  for (const port of Object.keys(reroutes ?? {})) if (gone(port)) delete reroutes?.[port]
}

function unwire(graph: Graph, gone: (wire: string) => boolean): void {
  for (const step of Object.values(graph.steps ?? {}))
    for (const [input, wire] of Object.entries(step.wires ?? {}))
      if (!wire.startsWith('#') && gone(wire)) drop(step, 'wires', input)
}

function unexpose(graph: Graph, gone: (port: string) => boolean): void {
  for (const [name, input] of Object.entries(graph.inputs ?? {})) {
    if (!input.to.some(gone)) continue
    input.to = input.to.filter((port) => !gone(port))
    if (input.to.length === 0) delete graph.inputs?.[name]
  }
  for (const [name, wire] of Object.entries(graph.outputs ?? {})) if (gone(wire)) delete graph.outputs?.[name]
}

/** Take a key out of a step's values or wires, and what is left empty with it. */
function drop(step: Step, part: 'values' | 'wires', key: string): void {
  delete step[part]?.[key]
  if (step[part] && Object.keys(step[part]).length === 0) delete step[part]
}

/** Leave no empty layout behind. */
function tidy(draft: Draft<Document>, group: string): void {
  const layout = draft.layout?.[group]
  if (!layout) return
  for (const key of ['steps', 'frames', 'reroutes', 'notes'] as const)
    if (layout[key] && Object.keys(layout[key]).length === 0) delete layout[key]
  if (Object.keys(layout).length === 0) delete draft.layout?.[group]
  if (draft.layout && Object.keys(draft.layout).length === 0) delete draft.layout
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function renamed<T>(all: Record<string, T>, from: string, to: string): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name === from ? to : name, value]))
}
