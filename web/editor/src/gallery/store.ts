/** What the gallery shows: the pages that were fetched, and what people do to them. */

import { create } from 'zustand'
import { ask, Refused } from '../api/client'
import { live } from '../api/live'
import type { Filters, MadeList, MadeView } from '../api/types'
import { say } from '../common/toast'
import { words } from '../common/words'

interface State {
  /** What was asked for, as the server takes it. */
  query: string | null
  items: MadeView[]
  next: string | null
  total: number
  /** How many more were made above the viewer's mode. */
  hidden: number
  loading: boolean
  problem: string
  filters: Filters
  /** For something done to many. */
  selected: readonly string[]
}

const NONE: Filters = { workflows: [], models: [], tags: [], trash: 0 }
export const useGallery = create<State>(() => ({
  query: null,
  items: [],
  next: null,
  total: 0,
  hidden: 0,
  loading: true,
  problem: '',
  filters: NONE,
  selected: [],
}))
const { setState: set, getState: get } = useGallery
const PAGE = 60
const MOST = 200

/** Show what a query finds. */
export async function look(query: string): Promise<void> {
  if (query !== get().query) set({ query, items: [], next: null, selected: [], loading: true })
  await refresh()
}

/** Fetch anew what is shown, as far as one request reaches; the rest stays. */
export async function refresh(): Promise<void> {
  const { query, items } = get()
  if (query === null) return
  const limit = Math.min(MOST, Math.max(PAGE, items.length))
  try {
    const page = await ask<MadeList>(`/api/gallery?${query}&limit=${limit}`)
    if (get().query !== query) return // somebody typed on
    const rest = get().items.length > limit ? get().items.slice(limit) : []
    const fresh = new Set(page.items.map((one) => one.id))
    set({
      items: [...page.items, ...rest.filter((one) => !fresh.has(one.id))],
      next: rest.length > 0 ? get().next : page.next,
      total: page.total ?? 0,
      hidden: page.hidden ?? 0,
      loading: false,
      problem: '',
    })
  } catch (error) {
    if (get().query === query) fail(error)
  }
}

let fetching = false
export async function more(): Promise<void> {
  const { query, next } = get()
  if (next === null || fetching) return
  fetching = true
  try {
    const page = await ask<MadeList>(`/api/gallery?${query}&limit=${PAGE}&before=${next}`)
    if (get().query !== query) return
    const known = new Set(get().items.map((one) => one.id))
    set({ items: [...get().items, ...page.items.filter((one) => !known.has(one.id))], next: page.next })
  } catch (error) {
    fail(error)
  } finally {
    fetching = false
  }
}

export async function fetchFilters(mode: number): Promise<void> {
  try {
    set({ filters: await ask<Filters>(`/api/gallery/filters?mode=${mode}`) })
  } catch (error) {
    fail(error)
  }
}

/** Look again when something was made or changed, also in another window. Answers how to stop. */
export function followGallery(mode: () => number): () => void {
  let waiting: ReturnType<typeof setTimeout> | undefined
  const stop = live.listen({
    event: ({ kind, data }) => {
      if (
        !['artifact.changed', 'artifact.deleted'].includes(kind) &&
        !(kind === 'job.state' && data.state === 'done')
      )
        return
      clearTimeout(waiting)
      waiting = setTimeout(() => {
        void refresh()
        void fetchFilters(mode())
      }, 300)
    },
  })
  return () => {
    clearTimeout(waiting)
    stop()
  }
}

export interface Change {
  starred?: boolean
  trashed?: boolean
  tag?: string[]
  untag?: string[]
}

/** Change some pictures: here at once, and on the server. */
export async function change(ids: readonly string[], wanted: Change): Promise<boolean> {
  const before = get()
  const changed = new Set(ids)
  const trash = new URLSearchParams(before.query ?? '').has('trash')
  const left = before.items
    .map((one) => (changed.has(one.id) ? applied(one, wanted) : one))
    .filter((one) => !changed.has(one.id) || (one.trashed !== null) === trash)
  set({
    items: left,
    total: before.total - (before.items.length - left.length),
    selected: before.selected.filter((id) => left.some((one) => one.id === id)),
  })
  try {
    await ask('/api/gallery', { method: 'PATCH', body: { ids, ...wanted } })
    return true
  } catch (error) {
    set({ items: before.items, total: before.total })
    say(error instanceof Refused ? error.message : String(error))
    return false
  }
}

function applied(one: MadeView, { starred, trashed, tag = [], untag = [] }: Change): MadeView {
  return {
    ...one,
    starred: starred ?? one.starred,
    trashed: trashed === undefined ? one.trashed : trashed ? Date.now() / 1000 : null,
    tags: [...new Set([...one.tags, ...tag])].filter((name) => !untag.includes(name)),
  }
}

/** Into the trash, with a way back. */
export async function throwAway(ids: readonly string[]): Promise<void> {
  const { oneTrashed, someTrashed, undo } = words().gallery
  const what = ids.length === 1 ? oneTrashed : someTrashed(ids.length)
  if (await change(ids, { trashed: true })) say(what, undo, () => bringBack(ids))
}

export async function bringBack(ids: readonly string[]): Promise<void> {
  if (await change(ids, { trashed: false })) await refresh()
}

export async function emptyTrash(): Promise<void> {
  const { deleted } = await ask<{ deleted: number }>('/api/gallery/trash', { method: 'DELETE' })
  say(deleted === 1 ? words().gallery.oneDeleted : words().gallery.someDeleted(deleted))
  await refresh()
}

export function select(ids: readonly string[]): void {
  set({ selected: ids })
}

function fail(error: unknown): void {
  if (!(error instanceof Refused)) throw error
  set({ problem: error.message, loading: false })
}
