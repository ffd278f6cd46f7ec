/** How a graph is run: how often, what its seeds do afterwards, and whether a change alone runs it. */

import { create } from 'zustand'
import { usePalette } from '../common/palette'
import { move, over, refresh, useRuns } from '../common/runs'
import { words } from '../common/words'
import { note } from './log'
import type { Document } from './model/document'
import { type After, nextSeeds } from './model/seeds'
import { currentDocument, perform, run, useGraph } from './store'

interface Options {
  count: number
  after: After
  /** Whether the graph runs by itself when something in it changed. */
  continuous: boolean
}
const KEY = 'tessera.run'
const CALM = 400 // milliseconds without a change before it runs by itself

export const useOptions = create<Options>(() => ({
  count: 1,
  after: 'keep',
  ...remembered(),
  continuous: false,
}))
let timer: ReturnType<typeof setTimeout> | undefined

export function setOptions(change: Partial<Options>): void {
  useOptions.setState(change)
  const { count, after } = useOptions.getState()
  localStorage.setItem(KEY, JSON.stringify({ count, after }))
  consider()
}

/** Run as the options say; `first` before everything that waits. */
export async function runNow({
  first = false,
  targets,
}: {
  first?: boolean
  targets?: string[]
} = {}): Promise<void> {
  const { count, after } = useOptions.getState()
  // The server gives the runs of a batch seeds one after the other; rolled ones are asked for one by one.
  const [times, each] = after === 'random' ? [count, 1] : [1, count]
  const ids: string[] = []
  for (let time = 0; time < times; time++) {
    const begun = await run(targets, each)
    note(begun)
    ids.push(...begun)
    const next = nextSeeds(currentDocument(), usePalette.getState().nodes, after, each)
    if (useGraph.getState().said !== '') return
    if (!next) continue
    perform(words().edits.nextSeed, next, 'next seed')
    useGraph.setState({ ran: currentDocument() }) // so this is no change of what ran
  }
  if (first) await toFront(ids)
}

async function toFront(ids: string[]): Promise<void> {
  const { runs, order } = useRuns.getState()
  const waits = (id: string) => runs[id]?.state === 'queued' || runs[id]?.state === 'held'
  const [next] = order
    .filter((id) => waits(id) && !ids.includes(id))
    .map((id) => runs[id])
    .filter((one) => one !== undefined)
    .sort((a, b) => b.priority - a.priority || a.position - b.position)
  if (next) for (const id of ids) await move(id, { before: next.id }).catch(() => {}) // it may run already
}

function consider(): void {
  if (!useOptions.getState().continuous || timer !== undefined || !due()) return
  timer = setTimeout(() => {
    timer = undefined
    if (useOptions.getState().continuous && due()) void runNow()
  }, CALM)
}

/** Whether something that matters changed since the last run, which is over. */
function due(): boolean {
  const { history, state, run, ran } = useGraph.getState()
  const known = run ? useRuns.getState().runs[run] : undefined
  if (state !== 'ready' || (known && !over(known))) return false
  return history.document !== ran && matter(history.document) !== (ran && matter(ran))
}

/** All of a workflow that its run depends on. */
function matter({ layout: _, title: __, ...left }: Document): string {
  return JSON.stringify(left)
}

useGraph.subscribe((now, before) => {
  if (now.run && now.run !== before.run) note([now.run])
  if (now.tab !== before.tab) {
    useOptions.setState({ continuous: false })
    if (now.run && !useRuns.getState().runs[now.run]) lookUp(now.run)
  } else if (now.history.document !== before.history.document) {
    clearTimeout(timer)
    timer = undefined
    consider()
  }
})
useRuns.subscribe((now, before) => {
  if (now.runs === before.runs) return
  consider()
  const { run } = useGraph.getState()
  if (run && before.runs[run] && !now.runs[run]) lookUp(run)
})

/** What is shown stays known, however many runs came since. */
function lookUp(run: string): void {
  void refresh(run).catch(() => {})
}

function remembered(): Partial<Options> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}')
  } catch {
    return {}
  }
}
