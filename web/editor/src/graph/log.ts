/** The log of the runs that this window started, or has open: their events, in order. */
import { create } from 'zustand'
import { ask } from '../api/client'
import { type Event, live } from '../api/live'

interface State {
  open: boolean
  /** The step whose lines alone are shown; "" for all. */
  step: string
  /** Events of each run, by their numbers. */
  runs: Record<string, readonly Event[]>
}

const KEY = 'tessera.log'
const RUNS = 30 // the older ones are forgotten
const EVENTS = 4000 // of one run: the first ones go
const TOLD = new Set(['job.created', 'job.state', 'job.moved', 'steps', 'answer', 'artifact.created'])

export const useLog = create<State>(() => ({ open: false, step: '', runs: {} }))
const { setState: set, getState: get } = useLog
const mine = new Set<string>(remembered())
const fetched = new Set<string>()

/** Show the log, of one step if one is named. */
export function openLog(step = ''): void {
  set({ open: true, step })
  for (const run of mine) void fetchOne(run)
}

export function toggleLog(): void {
  if (get().open) set({ open: false })
  else openLog()
}

/** These runs are this window's: what happens in them is told. */
export function note(ids: readonly string[]): void {
  for (const id of ids) {
    mine.delete(id)
    mine.add(id)
  }
  for (const id of [...mine].slice(0, -RUNS)) drop(id)
  sessionStorage.setItem(KEY, JSON.stringify([...mine]))
  if (get().open) for (const id of ids) void fetchOne(id)
}

function drop(id: string): void {
  mine.delete(id)
  fetched.delete(id)
  set(({ runs: { [id]: _, ...left } }) => ({ runs: left }))
}

/** What was told of a run before this window listened. */
async function fetchOne(id: string): Promise<void> {
  if (fetched.has(id)) return
  fetched.add(id)
  try {
    for (let after: number | null = 0; after !== null; ) {
      const page: { events: Event[]; next: number | null } = await ask(`/api/runs/${id}/log?after=${after}`)
      take(id, page.events)
      after = page.next
    }
  } catch {
    drop(id) // it is gone, or the server is: then there is nothing to tell
  }
}

function take(id: string, events: readonly Event[]): void {
  set(({ runs }) => {
    const known = new Map((runs[id] ?? []).map((one) => [one.seq, one]))
    for (const event of events) if (TOLD.has(event.kind)) known.set(event.seq, event)
    const ordered = [...known.values()].sort((a, b) => a.seq - b.seq).slice(-EVENTS)
    return { runs: { ...runs, [id]: ordered } }
  })
}

live.listen({ event: (event) => mine.has(event.job) && TOLD.has(event.kind) && take(event.job, [event]) })

function remembered(): string[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
  } catch {
    return []
  }
}
