/** Pieces of graph as text, so that they travel between tabs, servers and mails. */

import { original } from 'immer'
import { usePalette } from '../common/palette'
import { words } from '../common/words'
import { useCamera } from './camera'
import { freeFor, reveal } from './lying'
import { around, type Lying } from './model/align'
import type { At } from './model/commands'
import { empty, freeName, graphAt, type Step, split } from './model/document'
import { cardOf } from './model/geometry'
import { currentDocument, perform, select, useGraph } from './store'

const NEAR = 32 // pixels to the right and below

interface Copied {
  'tessera/steps': Record<string, Step>
  at: Record<string, [number, number]>
}

/** Put what is selected into the clipboard; answers the text. */
export async function copied(): Promise<string> {
  const { group, selected, arranged } = useGraph.getState()
  const document = currentDocument()
  const steps = graphAt(document, group).steps ?? {}
  const found: Copied = { 'tessera/steps': {}, at: {} }
  for (const name of selected) {
    if (!steps[name]) continue
    found['tessera/steps'][name] = steps[name]
    found.at[name] = document.layout?.[group]?.steps?.[name]?.at ?? arranged[`${group}/${name}`] ?? [0, 0]
  }
  const text = JSON.stringify(found, null, 2)
  if (selected.length > 0) await navigator.clipboard?.writeText(text).catch(() => {})
  return selected.length > 0 ? text : ''
}

/**
 * Add what the clipboard holds `at` a place or where the mouse is, or beside where it lay; `wired` keeps wires from steps that
 * were not copied along. What is duplicated, by its text, stays near; `still`: just where it lay.
 */
export async function paste(
  wired: boolean,
  { text, at, still = false }: { text?: string; at?: At; still?: boolean } = {},
): Promise<void> {
  const found = read(text ?? (await navigator.clipboard?.readText().catch(() => '')) ?? '')
  if (!found) return
  const { group } = useGraph.getState()
  const taken: Record<string, unknown> = { ...graphAt(currentDocument(), group).steps }
  const names: Record<string, string> = {}
  for (const name of Object.keys(found['tessera/steps'])) {
    names[name] = freeName(name, taken)
    taken[names[name]] = true
  }
  const [dx, dy] = still ? [0, 0] : shift(found, text === undefined ? (at ?? mouse()) : null)
  perform(words().edits.paste, (draft) => {
    const graph = graphAt(draft, group)
    graph.steps ??= {}
    draft.layout ??= {}
    draft.layout[group] ??= {}
    draft.layout[group].steps ??= {}
    for (const [old, step] of Object.entries(found['tessera/steps'])) {
      const name = names[old] ?? old
      graph.steps[name] = moved(
        step,
        names,
        (from) => wired && (original(draft)?.steps?.[from] !== undefined || from in taken),
      )
      const [x, y] = found.at[old] ?? [0, 0]
      draft.layout[group].steps[name] = { at: [x + dx, y + dy] }
    }
  })
  select(Object.values(names))
  if (!still) reveal(Object.values(names))
}

const mouse = () => useCamera.getState().camera?.pointer() ?? null

/** How far what is pasted goes from where it was copied, so that it lies on nothing. */
function shift({ 'tessera/steps': steps, at }: Copied, wanted: At | null): At {
  const nodes = usePalette.getState().nodes
  const graph = { ...empty(), groups: currentDocument().groups ?? {}, steps }
  const box = around(
    Object.keys(steps).map((name): Lying => {
      const { width, height } = cardOf(graph, nodes, '', name)
      return { at: at[name] ?? [0, 0], width, height }
    }),
  )
  const to = freeFor(
    { width: box.size[0], height: box.size[1] },
    wanted ?? [box.at[0] + NEAR, box.at[1] + NEAR],
  )
  return [to[0] - box.at[0], to[1] - box.at[1]]
}

function moved(step: Step, names: Record<string, string>, there: (from: string) => boolean): Step {
  const { wires, ...left } = structuredClone(step)
  const kept = Object.entries(wires ?? {}).flatMap(([input, wire]): [string, string][] => {
    const [from, output] = split(wire)
    if (names[from]) return [[input, `${names[from]}.${output}`]]
    return wire.startsWith('#') || there(from) ? [[input, wire]] : []
  })
  return kept.length > 0 ? { ...left, wires: Object.fromEntries(kept) } : left
}

function read(text: string): Copied | null {
  try {
    const found = JSON.parse(text)
    return typeof found === 'object' && found !== null && 'tessera/steps' in found ? found : null
  } catch {
    return null
  }
}
