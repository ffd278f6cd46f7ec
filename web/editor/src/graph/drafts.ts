/**
 * What is changed and not saved yet goes to the server as a draft, within two seconds and when the page is left.
 * It is dropped once it is saved, or undone.
 */
import { ask, Refused, send } from '../api/client'
import type { Draft as Kept } from '../api/types'
import { write } from './model/document'
import { dirty, type State, useGraph } from './store'

export interface Draft extends Kept {
  /** Whether a window of this browser has it open. */
  held: boolean
}

const DELAY = 1000 // milliseconds
const LOCK = 'tessera.draft.'
const waiting = new Map<string, State>()
const kept = new Set<string>()
const locks = new Map<string, () => void>()
let timer: ReturnType<typeof setTimeout> | undefined

useGraph.subscribe((now, before) => {
  if (now.tab === '' || now.state !== 'ready') return
  const changed = now.history.document !== before.history.document || now.saved !== before.saved
  if (!changed && now.tab === before.tab) return
  if (now.tab !== before.tab && !dirty(now)) return
  waiting.set(now.tab, now)
  timer ??= setTimeout(() => void flush(), DELAY)
})
addEventListener('pagehide', () => void flush(true))

/** Send what waits. What the server does not take now is sent later. */
export async function flush(leaving = false): Promise<void> {
  clearTimeout(timer)
  timer = undefined
  const all = [...waiting]
  waiting.clear()
  for (const [tab, state] of all)
    try {
      if (dirty(state)) await keep(tab, state, leaving)
      else if (kept.delete(tab)) await drop(tab)
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 0) continue
      if (!waiting.has(tab)) waiting.set(tab, state)
      timer ??= setTimeout(() => void flush(), 2 * DELAY)
    }
}

async function keep(tab: string, { name, etag, history }: State, keepalive: boolean): Promise<void> {
  const body = write(history.document)
  const of = new URLSearchParams({ ...(name && { name }), ...(etag && { base: etag.replaceAll('"', '') }) })
  kept.add(tab)
  // Browsers take no more than 64 KiB from a page that is left.
  await ask(`/api/drafts/${tab}?${of}`, { method: 'PUT', body, keepalive: keepalive && body.length < 60_000 })
}

export async function drafts(name?: string): Promise<Draft[]> {
  const only = name === undefined ? '' : `?name=${encodeURIComponent(name)}`
  const found = await ask<{ drafts: Kept[] }>(`/api/drafts${only}`)
  const held = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name) ?? [])
  for (const draft of found.drafts) if (locks.has(draft.id)) kept.add(draft.id)
  return found.drafts.map((draft) => ({ ...draft, held: held.has(LOCK + draft.id) }))
}

export async function draftOf(id: string): Promise<string> {
  return (await send(`/api/drafts/${id}`)).text()
}

export async function drop(id: string): Promise<void> {
  kept.delete(id)
  await ask(`/api/drafts/${id}`, { method: 'DELETE' })
}

/** Say to the other windows that this one has the draft; false if another one has. */
export async function hold(id: string): Promise<boolean> {
  if (!navigator.locks || locks.has(id)) return true // only pages from this machine or over TLS have locks
  return new Promise((answer) => {
    void navigator.locks.request(LOCK + id, { ifAvailable: true }, (lock) => {
      answer(lock !== null)
      return lock && new Promise<void>((end) => locks.set(id, end))
    })
  })
}

export function letGo(id: string): void {
  locks.get(id)?.()
  locks.delete(id)
}
