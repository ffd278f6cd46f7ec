/** What is done to the steps that are chosen on the canvas. */
import { usePalette } from '../common/palette'
import { words } from '../common/words'
import { copied, paste } from './clipboard'
import { lying, reveal } from './lying'
import { align, around, distribute, type Edge } from './model/align'
import { arrange } from './model/arrange'
import * as commands from './model/commands'
import { freeName, graphAt, split } from './model/document'
import { dissolveGroup, makeGroup } from './model/grouping'
import { capturesOf, specOf } from './model/groups'
import { same } from './model/ports'
import { currentDocument, perform, select, useGraph, whereIs } from './store'

const state = useGraph.getState
export const chosen = () => state().selected

/** Switch the chosen steps off in this way, or on again if all are. */
export function toggle(off: 'mute' | 'bypass'): void {
  const { group, selected } = state()
  if (selected.length === 0) return
  const steps = graphAt(currentDocument(), group).steps ?? {}
  const on = selected.every((name) => steps[name]?.off === off)
  perform(on ? words().edits.on : words().edits[off], commands.setOff(group, selected, on ? undefined : off))
}

/** Fold or pin the chosen cards, or undo it if all are. */
export function flag(what: 'collapsed' | 'pinned'): void {
  const { group, selected } = state()
  const places = currentDocument().layout?.[group]?.steps ?? {}
  const on = !selected.every((name) => places[name]?.[what])
  perform(
    what === 'pinned' ? words().edits.pin : words().edits.collapse,
    commands.all(
      ...selected.map((name) => commands.setPlace(group, name, { at: whereIs(name), [what]: on })),
    ),
  )
}

export const placeOf = (name: string) => currentDocument().layout?.[state().group]?.steps?.[name]
export const stepOf = (name: string) => graphAt(currentDocument(), state().group).steps?.[name]
export const each = (is: (name: string) => unknown) =>
  chosen().length > 0 && chosen().every((name) => is(name))

/** Give the chosen cards a colour; "" for none. */
export function tint(colour: string): void {
  const { group, selected } = state()
  perform(
    words().edits.colour,
    commands.all(
      ...selected.map((name) =>
        commands.setPlace(group, name, { at: whereIs(name), colour: colour || undefined }),
      ),
    ),
  )
}

/** The one group node that is selected, by the name of its group. */
export function groupChosen(): string {
  const node = chosen().length === 1 ? (stepOf(chosen()[0] ?? '')?.node ?? '') : ''
  return node.startsWith('group/') ? node.slice('group/'.length) : ''
}

/** Take a step out and join what came in with what went on, where the types agree. */
export function dissolve(): void {
  const { group, selected } = state()
  const nodes = usePalette.getState().nodes
  const changes = selected.map((name) => {
    const step = graphAt(currentDocument(), group).steps?.[name]
    if (step?.node.startsWith('group/')) return dissolveGroup(currentDocument(), group, name)
    const spec = step && specOf(currentDocument(), nodes, step.node)
    const out = spec?.outputs[0]?.port
    const input = spec?.inputs.find(
      ({ name: one, port }) => step?.wires?.[one] && out && same(port, out, new Map()),
    )
    return commands.dissolve(group, name, (input && step?.wires?.[input.name]) || null)
  })
  perform(words().edits.dissolve, commands.all(...changes))
  select([])
}

/** Move the chosen cards so far. */
export function nudge(x: number, y: number): void {
  const { group, selected } = state()
  const places = Object.fromEntries(
    selected.map((name) => [name, [whereIs(name)[0] + x, whereIs(name)[1] + y] as [number, number]]),
  )
  perform(words().edits.move, commands.move(group, places), `nudge ${selected.join()}`)
}

/** Delete the chosen steps and their wires. */
export function remove(): void {
  if (chosen().length === 0) return
  perform(words().edits.delete, commands.remove(state().group, chosen()))
  select([])
}

/** Copy the chosen steps, with the wires that come in. */
export async function duplicate(): Promise<void> {
  const text = await copied()
  if (text) await paste(true, { text })
}

/** Go along a wire: to what feeds the selected step, or to what it feeds. */
export function walk(back: boolean): void {
  const [name] = chosen()
  const steps = graphAt(currentDocument(), state().group).steps ?? {}
  if (name === undefined) {
    select(Object.keys(steps).slice(0, 1))
    return
  }
  const next = back
    ? Object.values(steps[name]?.wires ?? {}).map((wire) => split(wire)[0])[0]
    : Object.entries(steps).find(([, step]) =>
        Object.values(step.wires ?? {}).some((wire) => split(wire)[0] === name),
      )?.[0]
  if (next === undefined || !(next in steps)) return
  select([next])
  reveal([next])
}

function bring(title: string, places: Record<string, commands.At>): void {
  if (Object.keys(places).length > 0) perform(title, commands.move(state().group, places))
}

/** Align the chosen cards at one side. */
export function line(edge: Edge): void {
  if (chosen().length > 1) bring(words().edits.align, align(lying(chosen()), edge))
}

/** Leave the same gaps between the chosen cards. */
export function spread(across: boolean): void {
  bring(words().edits.gaps, distribute(lying(chosen()), across))
}

/** Lay these steps out anew, from where they begin. */
export async function tidy(names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const { group } = state()
  const document = currentDocument()
  const cards = lying(names)
  const places = await arrange(graphAt(document, group), cards, [...names], (body) =>
    capturesOf(document.groups?.[body] ?? {}),
  )
  const [was, is] = [
    around(Object.values(cards)).at,
    around(names.map((name) => ({ width: 0, height: 0, at: places[name] ?? [0, 0] }))).at,
  ]
  bring(
    words().edits.layout,
    Object.fromEntries(
      Object.entries(places).map(([name, [x, y]]) => [name, [x + was[0] - is[0], y + was[1] - is[1]]]),
    ),
  )
}

const MARGIN = 24
const TITLE = 36

/** Put a frame around the chosen cards. */
export function frame(): void {
  if (chosen().length === 0) return
  const { group } = state()
  const { at, size } = around(Object.values(lying(chosen())))
  const name = freeName('frame', currentDocument().layout?.[group]?.frames ?? {})
  perform(
    words().edits.frame,
    commands.setFrame(group, name, {
      at: [at[0] - MARGIN, at[1] - MARGIN - TITLE],
      size: [size[0] + 2 * MARGIN, size[1] + 2 * MARGIN + TITLE],
      title: words().edits.frame,
    }),
  )
}

/** Make the chosen steps a group. */
export function groupUp(): void {
  if (chosen().length === 0) return
  const { group } = state()
  const nodes = usePalette.getState().nodes
  const document = currentDocument()
  const places = commands.move(
    group,
    Object.fromEntries(chosen().map((name): [string, commands.At] => [name, whereIs(name)])),
  )
  const made = makeGroup(document, group, chosen(), around(Object.values(lying(chosen()))).at, (name) => {
    const node = graphAt(document, group).steps?.[name]?.node ?? ''
    return specOf(document, nodes, node)?.outputs.map((output) => output.name) ?? []
  })
  perform(words().edits.group, commands.all(places, made.change))
  select([made.step])
}
