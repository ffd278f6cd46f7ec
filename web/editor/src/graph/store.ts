/** The open workflow: its document and what was done to it, what is selected, and what is known of it. */

import { create } from 'zustand'
import { ask, Refused, send } from '../api/client'
import type { Problem } from '../api/types'
import { useMode } from '../common/mode'
import { nodesThere, usePalette } from '../common/palette'
import { start } from '../common/runs'
import { words } from '../common/words'
import { arrange } from './model/arrange'
import type { Change } from './model/commands'
import { type Document, empty, graphAt, graphs, read, write } from './model/document'
import { cardOf } from './model/geometry'
import { capturesOf, trail } from './model/groups'
import * as past from './model/history'

export interface State {
  /** Names this tab, and its draft on the server; every document that is opened has its own. */
  tab: string
  /** In the library; empty for one that was never saved. */
  name: string
  etag: string | null
  /** What was saved last, as this editor writes it; and the text of the file, which may be written otherwise. */
  saved: string
  file: string
  history: past.History
  /** The group whose inside is shown; "" is the workflow itself. */
  group: string
  selected: readonly string[]
  /** Places of steps that the document has none for, by "group/step". */
  arranged: Record<string, [number, number]>
  /** The last run of this document in this window, and the document as it was then. */
  run: string | null
  ran: Document | null
  state: 'loading' | 'ready' | 'failed'
  /** Goes up with every document that is opened. */
  opened: number
  said: string
  /** A newer version that somebody else saved; `asked` once it stood in the way of a save. */
  newer: { text: string; etag: string; asked?: boolean } | null
  /** Why the last run was refused, by step. */
  problems: readonly Problem[]
}

/** Before anything is open, and when there is nothing at an address. */
const BLANK: State = {
  tab: '',
  name: '',
  etag: null,
  saved: '',
  file: '',
  history: past.begin(empty()),
  group: '',
  selected: [],
  arranged: {},
  run: null,
  ran: null,
  state: 'loading',
  opened: 0,
  said: '',
  newer: null,
  problems: [],
}
export const useGraph = create<State>(() => BLANK)
const { setState: set, getState: get } = useGraph
export const NOTHING = write(empty())

export function newTab(): string {
  return `t${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`
}

export function currentDocument(): Document {
  return get().history.document
}

/** Open a workflow of the library, or an empty one, in this tab if one is named. */
export async function open(name: string, tab = ''): Promise<void> {
  set({ state: 'loading', said: '' })
  try {
    if (name === '') return await show('', null, NOTHING, { tab })
    const response = await send(address(name))
    await show(name, response.headers.get('ETag'), await response.text(), { tab })
  } catch (error) {
    set({
      ...BLANK,
      state: 'failed',
      name,
      opened: get().opened + 1,
      said: error instanceof Error ? error.message : String(error),
    })
  }
}

/**
 * Show a document that came from somewhere: a file, a picture, the clipboard. It gets a tab of its own, unless
 * nothing is in the present one. What differs from `saved` is not saved yet. Raises NotAWorkflow.
 */
export async function show(
  name: string,
  etag: string | null,
  text: string,
  { saved = name ? text : NOTHING, tab = '' } = {},
): Promise<void> {
  const document = read(text)
  await nodesThere()
  const arranged = await placed(document)
  const now = get()
  const again = now.tab !== '' && (name ? now.name === name : now.name === '' && !dirty(now))
  set({
    tab: tab || (again ? now.tab : newTab()),
    name,
    etag,
    ...known(saved),
    newer: null,
    history: past.begin(document),
    group: '',
    selected: [],
    arranged,
    run: null,
    ran: null,
    problems: [],
    state: 'ready',
    opened: get().opened + 1,
    said: '',
  })
}

/** Do something to the document. */
export function perform(label: string, change: Change, field: string | null = null): void {
  try {
    set(({ history }) => ({ history: past.apply(history, label, change, field), said: '' }))
  } catch (error) {
    set({ said: error instanceof Error ? error.message : String(error) })
  }
}

export function undo(): void {
  set(({ history }) => ({ history: past.undo(history) }))
  keepSelection()
}

export function redo(): void {
  set(({ history }) => ({ history: past.redo(history) }))
  keepSelection()
}

export function select(names: readonly string[]): void {
  set({ selected: names, history: past.settle(get().history) })
}

export function enter(group: string): void {
  if (group === '' || currentDocument().groups?.[group]) set({ group, selected: [] })
}

/** Out of a group, to where it is used. */
export function leave(): void {
  enter(trail(currentDocument(), get().group).at(-2) ?? '')
}

/** Where a step lies. */
export function whereIs(name: string): [number, number] {
  const { group, arranged } = get()
  return currentDocument().layout?.[group]?.steps?.[name]?.at ?? arranged[`${group}/${name}`] ?? [0, 0]
}

/** Save over the version that was opened, or under a name that is free. Raises Refused. */
export async function save(name = get().name): Promise<void> {
  const { etag, name: before, tab } = get()
  const text = textNow()
  const headers: Record<string, string> =
    name === before && etag ? { 'If-Match': etag } : { 'If-None-Match': '*' }
  try {
    const saved = await ask<{ etag: string }>(address(name), { method: 'PUT', body: text, headers })
    if (get().tab === tab) set({ name, etag: `"${saved.etag}"`, ...known(text), newer: null, said: '' })
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 412 || name !== before) throw error
    await fetchNewer(true)
  }
}

/** Somebody saved over what is open here: fetch it, to be compared. */
export async function fetchNewer(asked = false): Promise<void> {
  const { name, tab } = get()
  const response = await send(address(name))
  const newer = { text: await response.text(), etag: response.headers.get('ETag') ?? '', asked }
  if (get().tab === tab) set({ newer })
}

/** Go on from the newer version; what was here is one step of undo away. */
export function takeNewer(): void {
  const { newer } = get()
  if (!newer) return
  perform(words().edits.takeNewer, past.replaced(read(newer.text)))
  set({ etag: newer.etag, ...known(newer.text), newer: null })
}

/** Save what is here over the newer version, which stays among the versions. */
export async function overwriteNewer(): Promise<void> {
  const { newer } = get()
  if (newer) set({ etag: newer.etag, ...known(newer.text), newer: null })
  await save()
}

export function address(name: string): string {
  return `/api/workflows/${encodeURIComponent(name)}`
}

/** Run the document as it is on the screen; the ids of the runs. */
export async function run(targets?: string[], count = 1): Promise<string[]> {
  set({ said: '', problems: [], ran: currentDocument() })
  const { tab } = get()
  try {
    const ids = await start({
      workflow: { ...currentDocument() },
      targets: targets ?? null,
      count,
      mode: useMode.getState().mode,
    })
    if (get().tab === tab) set({ run: ids[0] ?? null })
    return ids
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    set({ said: error.message, problems: error.problems })
    return []
  }
}

export function dirty({ history, saved }: State): boolean {
  return write(history.document) !== saved
}

/** The document as a file: one that nothing was changed in stays as it was, to the byte. */
function textNow(): string {
  const text = write(currentDocument())
  const { saved, file } = get()
  return text === saved ? file : text
}

/** A file, and what it says as this editor writes it. */
export function known(file: string): Pick<State, 'saved' | 'file'> {
  return { saved: write(read(file)), file }
}

async function placed(document: Document): Promise<State['arranged']> {
  const nodes = usePalette.getState().nodes
  const found: State['arranged'] = {}
  for (const [group, graph] of graphs(document)) {
    const known = document.layout?.[group]?.steps ?? {}
    if (Object.keys(graph.steps ?? {}).every((name) => known[name])) continue
    const steps = Object.keys(graph.steps ?? {})
    const boxes = Object.fromEntries(steps.map((name) => [name, cardOf(document, nodes, group, name)]))
    const places = await arrange(graph, boxes, steps, (body) => capturesOf(document.groups?.[body] ?? {}))
    for (const [name, at] of Object.entries(places)) found[`${group}/${name}`] = at
  }
  return found
}

function keepSelection(): void {
  const { group, selected } = get()
  const document = currentDocument()
  const there = group === '' || document.groups?.[group] ? group : ''
  const steps = graphAt(document, there).steps ?? {}
  set({ group: there, selected: selected.filter((name) => name in steps) })
}
