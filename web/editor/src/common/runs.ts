/** What is known of runs: as the server told it last, kept up to date by what it tells since. */
import { create } from 'zustand'
import { type Asked, ask } from '../api/client'
import { type Event, live } from '../api/live'
import type { Request, Run, RunList, RunSummary, StepView, Submitted } from '../api/types'
import { useSettings } from '../settings/settings'

export type Steps = Record<string, StepView>
export interface Known extends RunSummary {
  /** Of runs that somebody looked at, or that run now. */
  steps?: Steps
  questions?: Run['questions']
  warnings?: Run['warnings']
  receipt?: Run['receipt']
  /** How far steps under way are, 0 to 1. */
  under_way?: Record<string, number>
}
interface State {
  runs: Record<string, Known>
  /** Ids, newest first. */
  order: string[]
  /** The newest preview of each run, as an address of its picture. */
  previews: Record<string, { step: string; url: string }>
  connected: boolean
  /** Whether the list has been fetched. */
  loaded: boolean
}

export const useRuns = create<State>(() => ({
  runs: {},
  order: [],
  previews: {},
  connected: true,
  loaded: false,
}))
const { setState: set, getState: get } = useRuns
const SECOND = 1000
const MOST = 100 // finished runs that are remembered, since a page stays open for days: as many as are fetched
const OVER = new Set(['done', 'failed', 'cancelled'])

export function over(run: { state: string }): boolean {
  return OVER.has(run.state)
}

/** Follow everything, and fetch the newest runs as soon as nothing is missed any more. */
export function follow(): void {
  live.listen({
    event: heard,
    preview: ({ job, step, picture }) => show(job, step, picture),
    connected: (connected) => {
      set({ connected })
      if (connected) void list().catch(() => {})
    },
  })
  // A proxy may let no websocket through: then the list is at least as it was when the page was opened.
  setTimeout(() => get().loaded || void list().catch(() => {}), SECOND)
}

const OPEN = ['running', 'waiting', 'queued', 'held'] as const

/** Fetch the newest runs, and all that are not over. */
export async function list(): Promise<void> {
  const at = ++clock
  const newest = ask<RunList>(`/api/runs?limit=${MOST}`)
  const open = OPEN.map((state) => ask<RunList>(`/api/runs?limit=200&state=${state}`))
  const found = (await Promise.all([newest, ...open])).flatMap(({ runs }) => runs)
  const there = new Set(found.map((run) => run.id))
  for (const run of found) put(run, at)
  set(({ runs, order }) => {
    const gone = order.filter(
      (id) => !there.has(id) && !over(runs[id] ?? { state: 'done' }) && stamp(id) < at,
    )
    return gone.length === 0
      ? { loaded: true }
      : { loaded: true, order: order.filter((id) => !gone.includes(id)) }
  })
  for (const id of there) if (!over(get().runs[id] ?? { state: 'done' })) void refresh(id).catch(() => {})
}

/** Fetch one run with its steps. */
export function refresh(id: string): Promise<Known> {
  return told<Run>(`/api/runs/${id}`)
}

/** Start; the first run is answered, all of them are known from then on. */
export async function start(
  request: Partial<Request> & { workflow: unknown },
  key?: string,
): Promise<string[]> {
  const headers = key ? { 'Idempotency-Key': key } : {}
  const run = await told<Submitted>('/api/runs', { method: 'POST', body: request, headers })
  for (const id of run.runs) if (id !== run.id) void refresh(id)
  return run.runs
}

export async function cancel(id: string): Promise<void> {
  await told<Run>(`/api/runs/${id}`, { method: 'DELETE' })
}

export async function steer(id: string, verb: 'hold' | 'release' | 'retry'): Promise<void> {
  await told<Run>(`/api/runs/${id}/${verb}`, { method: 'POST' })
}

/** Put a run that waits beside another. */
export async function move(id: string, to: { before: string } | { after: string }): Promise<void> {
  await told<Run>(`/api/runs/${id}`, { method: 'PATCH', body: to })
}

/** What the server answers of a run; an event may have said something newer before the answer is here. */
async function told<T extends Run | Submitted>(path: string, asked: Asked = {}): Promise<T> {
  const at = ++clock
  const run = await ask<T>(path, asked)
  put(run, at)
  return run
}

/** Answers may overtake each other: what was asked for earlier than what is known says nothing new. */
let clock = 0
const stamps = new Map<string, number>()
const stamp = (id: string): number => stamps.get(id) ?? 0

function put(run: RunSummary | Run, at: number): void {
  if (stamp(run.id) > at) return
  stamps.set(run.id, at)
  set(({ runs, order }) => ({
    runs: { ...runs, [run.id]: { ...runs[run.id], ...run } },
    order: order.includes(run.id) ? order : [...order, run.id].sort().reverse(),
  }))
  if (over(run)) forget(run.id)
}

/** Forget the oldest of those that are over. Whoever shows one of them asks for it again. */
function tidy(): void {
  const { runs, order } = get()
  const gone = order.filter((id) => over(runs[id] ?? { state: 'done' })).slice(MOST)
  if (gone.length === 0) return
  for (const id of gone) stamps.delete(id)
  const old = new Set(gone)
  set({
    order: order.filter((id) => !old.has(id)),
    runs: Object.fromEntries(Object.entries(runs).filter(([id]) => !old.has(id))),
  })
}

function change(id: string, what: Partial<Known>): void {
  const known = get().runs[id]
  if (known) set(({ runs }) => ({ runs: { ...runs, [id]: { ...known, ...what } } }))
}

function heard({ kind, job, data }: Event): void {
  const known = get().runs[job]
  switch (kind) {
    case 'job.created':
      tidy()
      void refresh(job).catch(() => {})
      break
    case 'job.moved':
      void refresh(job).catch(() => {})
      break
    case 'job.state':
      stamps.set(job, ++clock)
      if (known) change(job, { state: data.state as Known['state'] })
      void refresh(job).catch(() => {})
      break
    case 'steps':
      if (known)
        change(job, {
          steps: { ...known.steps, ...(data.steps as Steps) },
          progress: (data.progress as number) ?? known.progress,
        })
      break
    case 'progress':
      if (known)
        change(job, {
          under_way: { ...known.under_way, ...(data.steps as Record<string, number>) },
          progress: (data.progress as number) ?? known.progress,
        })
      break
  }
}

let shown = 0 // when the newest preview was taken up, in milliseconds

function show(job: string, step: string, picture: Blob): void {
  const { previews: wanted } = useSettings.getState()
  if (wanted === 'off' || (wanted === 'few' && Date.now() - shown < SECOND)) return
  if (over(get().runs[job] ?? { state: 'running' })) return // it was under way when its run ended
  shown = Date.now()
  const older = get().previews[job]
  set(({ previews }) => ({ previews: { ...previews, [job]: { step, url: URL.createObjectURL(picture) } } }))
  if (older) setTimeout(() => URL.revokeObjectURL(older.url), 1000) // the page may still be painting it
}

function forget(job: string): void {
  const older = get().previews[job]
  if (!older) return
  set(({ previews: { [job]: _, ...left } }) => ({ previews: left }))
  setTimeout(() => URL.revokeObjectURL(older.url), 1000)
}

/** A run in the words that it was asked for with. */
export function about(run: Known): string {
  const prompt = run.inputs.prompt
  return typeof prompt === 'string' && prompt ? prompt : run.title
}
