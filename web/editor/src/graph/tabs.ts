/**
 * The workflows that are open in this window. Each is a tab; what is in the others waits here. The list outlives
 * a reload, and what was not saved comes back from its draft.
 */

import { create } from 'zustand'
import { ask, send } from '../api/client'
import { refresh } from '../common/runs'
import { words } from '../common/words'
import { type Draft, draftOf, drafts, drop, hold, letGo } from './drafts'
import { reveal } from './lying'
import { given } from './model/commands'
import { type Document, graphAt, write } from './model/document'
import type { Json } from './model/ports'
import {
  address,
  currentDocument,
  dirty,
  enter,
  known,
  NOTHING,
  newTab,
  open,
  perform,
  type State,
  select,
  show,
  useGraph,
} from './store'

export interface Tab {
  id: string
  name: string
  title: string
  unsaved: boolean
  run: string | null
}
interface Open {
  tabs: readonly Tab[]
  /** A draft of the workflow in front that another window left behind. */
  left: Draft | null
}

const KEY = 'tessera.graph'

export const useTabs = create<Open>(() => ({ tabs: remembered().tabs, left: null }))
const { setState: set, getState: get } = useTabs
const aside = new Map<string, State>()
let asked: Promise<void> = Promise.resolve()

useGraph.subscribe((now, before) => {
  if (now.tab !== before.tab && before.tab !== '') aside.set(before.tab, { ...before, state: 'ready' })
  if (now.tab === '' || now.state !== 'ready') return
  const changed = now.history.document !== before.history.document || now.saved !== before.saved
  if (now.tab === before.tab && !changed && now.name === before.name && now.run === before.run) return
  const tab = {
    id: now.tab,
    name: now.name,
    title: now.history.document.title || now.name || words().graph.untitled,
    unsaved: dirty(now),
    run: now.run,
  }
  const known = get().tabs.some((one) => one.id === tab.id)
  set(({ tabs }) => ({
    tabs: known ? tabs.map((one) => (one.id === tab.id ? tab : one)) : [...tabs, tab],
  }))
  if (!known) void hold(tab.id)
  keep()
})

/** Show what an address asks for: a workflow by name, or whatever was in front. One after the other. */
export function arrive(name: string): Promise<void> {
  return inTurn(() => arriveNow(name))
}

function inTurn(does: () => Promise<void>): Promise<void> {
  const turn = asked.then(does)
  asked = turn.catch(() => {})
  return turn
}

async function arriveNow(name: string): Promise<void> {
  const now = useGraph.getState()
  if (now.state === 'ready' && now.tab !== '' && (name === '' || now.name === name)) return
  const { current } = remembered()
  const tab = name
    ? get().tabs.find((one) => one.name === name)
    : (get().tabs.find((one) => one.id === (now.tab || current)) ?? get().tabs[0])
  if (tab) return activate(tab.id)
  await open(name)
  if (name) await lookForLeft(name)
}

/** Bring a tab to the front, as it was left. */
export async function activate(id: string): Promise<void> {
  if (useGraph.getState().tab === id) return
  const kept = aside.get(id)
  if (kept) {
    useGraph.setState({ ...kept, opened: useGraph.getState().opened + 1 }, true)
    set({ left: null })
    return
  }
  const tab = get().tabs.find((one) => one.id === id)
  if (tab) await comeBack(tab)
}

/** After a reload: the draft of the tab if it has one, else the workflow of its name. */
async function comeBack(tab: Tab): Promise<void> {
  useGraph.setState({ state: 'loading' })
  const known = tab.run ? refresh(tab.run).catch(() => null) : null // meanwhile
  const mine = await hold(tab.id)
  const id = mine ? tab.id : newTab() // the window was duplicated: from here on each has its own draft
  if (!mine) set(({ tabs }) => ({ tabs: tabs.map((one) => (one.id === tab.id ? { ...one, id } : one)) }))
  const draft = (await drafts()).find((one) => one.id === tab.id)
  if (draft) await restore(draft, id)
  else await open(tab.name, id)
  const run = await known
  if (run && useGraph.getState().tab === id) useGraph.setState({ run: run.id, ran: currentDocument() })
}

async function restore(draft: Draft, tab: string): Promise<void> {
  const file = draft.name ? saved(draft.name).catch(() => null) : Promise.resolve(null)
  const base = draft.base ? `"${draft.base}"` : null
  await show(draft.name, base, await draftOf(draft.id), { saved: NOTHING, tab })
  void file.then((now) => compare(tab, base, now)) // nobody waits for it to see the graph
}

/** Say of a draft what is saved, and whether somebody saved in the meantime. */
function compare(tab: string, base: string | null, now: { text: string; etag: string } | null): void {
  if (useGraph.getState().tab !== tab) return
  useGraph.setState({ ...known(now?.text ?? NOTHING), newer: now && base !== now.etag ? now : null })
}

async function saved(name: string): Promise<{ text: string; etag: string } | null> {
  const listed = await ask<{ workflows: { name: string }[] }>('/api/workflows')
  if (!listed.workflows.some((one) => one.name === name)) return null // deleted since
  const response = await send(address(name))
  return { text: await response.text(), etag: response.headers.get('ETag') ?? '' }
}

/** What another window changed and did not save, if that window is gone. */
async function lookForLeft(name: string): Promise<void> {
  const open = new Set(get().tabs.map((one) => one.id))
  const [left] = (await drafts(name)).filter((one) => !one.held && !open.has(one.id))
  if (useGraph.getState().name === name) set({ left: left ?? null })
}

/** Bring back what another window left. */
export async function bringBack(draft: Draft): Promise<void> {
  const now = useGraph.getState()
  set({ left: null })
  await restore(draft, draft.name && now.name === draft.name ? now.tab : newTab())
  const { tab } = useGraph.getState()
  if (tab !== draft.id) await drop(draft.id)
}

export async function forgetLeft(draft: Draft): Promise<void> {
  set({ left: null })
  await drop(draft.id)
}

/** Bring the tab of a workflow to the front; false if it has none. */
export async function front(name: string): Promise<boolean> {
  const tab = get().tabs.find((one) => one.name === name)
  if (tab) await inTurn(() => activate(tab.id))
  return tab !== undefined
}

export function fresh(): Promise<void> {
  return inTurn(() => show('', null, NOTHING, { tab: newTab() }))
}

/** Close a tab; what was not saved in it stays a draft for a while. */
export async function close(id: string): Promise<void> {
  const at = get().tabs.findIndex((one) => one.id === id)
  const tabs = get().tabs.filter((one) => one.id !== id)
  const next = tabs[Math.min(at, tabs.length - 1)]
  set({ tabs })
  keep()
  if (useGraph.getState().tab === id) await (next ? activate(next.id) : fresh())
  aside.delete(id)
  letGo(id)
  keep()
}

/** The tabs of a workflow that was renamed or deleted go on under another name, or none. */
export function renamed(name: string, to: string, etag: string | null): void {
  const change = (state: State): State =>
    state.name === name ? { ...state, name: to, etag, ...(to ? {} : known(NOTHING)) } : state
  for (const [id, state] of aside) aside.set(id, change(state))
  set(({ tabs }) => ({ tabs: tabs.map((one) => (one.name === name ? { ...one, name: to } : one)) }))
  useGraph.setState(change)
}

/** Show the graph of a run, as it was run, with a step of it selected: the one that failed. */
export async function showRun(id: string, path: string | null): Promise<void> {
  const run = await refresh(id)
  const tab = get().tabs.find((one) => one.run === id)
  if (tab) await activate(tab.id)
  else {
    const ran = write(await ask<Document>(`/api/runs/${id}/workflow`))
    const now = run.workflow ? await saved(run.workflow) : null
    if (now && known(now.text).saved === ran) await show(run.workflow, now.etag, now.text)
    else await show('', null, ran, { tab: newTab() })
    perform(words().edits.asRun, given(run.inputs as Record<string, Json>))
  }
  useGraph.setState({ run: run.id, ran: currentDocument() })
  if (path) point(path)
}

/** Select the step that a path of a run names: "step", "group/step", "loop/body/step", "step#3". */
export function point(path: string): void {
  const document = currentDocument()
  let group = ''
  for (const part of path.replace(/#\d+|\[\d+\]/g, '').split('/')) {
    const step = graphAt(document, group).steps?.[part]
    if (step) {
      enter(group)
      select([part])
      reveal([part])
    }
    const inside = step?.node.startsWith('group/') ? step.node.slice('group/'.length) : step ? group : part
    if (inside !== '' && !document.groups?.[inside]) return
    group = inside
  }
}

function remembered(): { tabs: readonly Tab[]; current: string } {
  try {
    return { tabs: [], current: '', ...JSON.parse(sessionStorage.getItem(KEY) ?? '{}') }
  } catch {
    return { tabs: [], current: '' }
  }
}

function keep(): void {
  sessionStorage.setItem(KEY, JSON.stringify({ tabs: get().tabs, current: useGraph.getState().tab }))
}
