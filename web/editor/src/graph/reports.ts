/** How a step of the graph stood in the last run of this window, what was wrong with it, and what would mend it. */

import { useMemo } from 'react'
import type { Problem, StepView } from '../api/types'
import { usePalette } from '../common/palette'
import { useRuns } from '../common/runs'
import { words } from '../common/words'
import { inLine, parts } from '../queue/order'
import { useCamera } from './camera'
import { mayConnect } from './model/check'
import * as commands from './model/commands'
import { type Document, graphAt, split } from './model/document'
import { specOf, trail } from './model/groups'
import { inputOf } from './model/nodes'
import { typeable } from './model/ports'
import { perform, useGraph } from './store'
import { offer } from './view/offer'

/** The path of a step in a run: its name, behind those of the steps that hold its group. */
export function pathOf(document: Document, group: string, name: string): string {
  const ways = trail(document, group)
  const parts = ways.slice(1).flatMap((inner, depth) => {
    for (const [holder, step] of Object.entries(graphAt(document, ways[depth] ?? '').steps ?? {})) {
      if (step.node === `group/${inner}`) return [holder]
      if (Object.values(step.wires ?? {}).includes(`#${inner}`)) return [holder, inner]
    }
    return []
  })
  return [...parts, name].join('/')
}

export function useReport(group: string, name: string): (StepView & { way: number | undefined }) | undefined {
  const run = useGraph((state) => state.run)
  const path = useGraph((state) => (group === '' ? name : pathOf(state.history.document, group, name)))
  const report = useRuns((state) => (run ? state.runs[run]?.steps?.[path] : undefined))
  const way = useRuns((state) => (run ? state.runs[run]?.under_way?.[path] : undefined))
  return useMemo(() => {
    if (!report && way === undefined) return undefined
    const bare: StepView = {
      state: 'running',
      cache: null,
      calls: 0,
      hits: 0,
      seconds: 0,
      why: '',
      verdicts: [],
    }
    return { ...(report ?? bare), way }
  }, [report, way])
}

/** Where in the queue the run of this window is, in words; null if it does not wait. */
export function useWaiting(): string | null {
  const run = useGraph((state) => state.run)
  return useRuns(({ runs, order }) => {
    const known = run ? runs[run] : undefined
    if (known?.state === 'held') return words().running.held
    if (known?.state !== 'queued') return null
    const { pending } = parts(order.map((one) => runs[one]).filter((one) => one !== undefined))
    return inLine(pending.filter((one) => one.state === 'queued').findIndex(({ id }) => id === run))
  })
}

export interface Wrong {
  input: string
  says: string
  fix: { words: string; does: () => void } | null
}

/** What is wrong with a step, in one sentence, as the server said it last. */
export function useWrong(group: string, name: string): Wrong | null {
  const report = useReport(group, name)
  const path = useGraph((state) => (group === '' ? name : pathOf(state.history.document, group, name)))
  const refused = useGraph((state) => state.problems.find((one) => one.step === path))
  const problem = refused ?? (report?.problem as Problem | undefined)
  const document = useGraph((state) => state.history.document)
  const ran = useGraph((state) => state.ran)
  return useMemo(() => {
    if (!problem || (ran && differs(ran, document, group, name))) return null
    const input = problem.input ?? ''
    return { input, says: sentence(problem), fix: fixOf(document, group, name, problem) }
  }, [problem, document, ran, group, name])
}

/** Whether a step, or one that feeds it, was changed: what was said of it is out of date. */
function differs(
  was: Document,
  is: Document,
  group: string,
  name: string,
  seen = new Set<string>(),
): boolean {
  if (was === is || seen.has(name)) return false
  seen.add(name)
  const [before, now] = [graphAt(was, group).steps?.[name], graphAt(is, group).steps?.[name]]
  if (before !== now) return true // states share what did not change
  const sources = Object.values(now?.wires ?? {}).filter((wire) => !wire.startsWith('#'))
  return sources.some((wire) => differs(was, is, group, split(wire)[0], seen))
}

function sentence({ code, input, got, want, remedy }: Problem): string {
  const what = input ? `${input.replaceAll('_', ' ')}: ` : ''
  const why = want ? words().fixes.wants(got ?? '', want) : `${got || code.replaceAll('_', ' ')}.`
  return `${what}${why} ${remedy ?? ''}`.trim()
}

function fixOf(document: Document, group: string, name: string, { input = '' }: Problem): Wrong['fix'] {
  const nodes = usePalette.getState().nodes
  const graph = graphAt(document, group)
  const step = graph.steps?.[name]
  const port = step && inputOf(specOf(document, nodes, step.node), input)
  if (!step || !port) return null
  if (step.wires?.[input] !== undefined)
    return {
      words: words().fixes.unwire,
      does: () => perform(words().edits.disconnect, commands.disconnect(group, { step: name, input })),
    }
  if (step.values?.[input] !== undefined && port.default !== undefined)
    return {
      words: words().fixes.back(JSON.stringify(port.default)),
      does: () => perform(words().edits.reset, commands.setValue(group, name, input, undefined)),
    }
  const sources = Object.entries(graph.steps ?? {}).flatMap(([from, one]) =>
    (specOf(document, nodes, one.node)?.outputs ?? [])
      .map((output) => `${from}.${output.name}`)
      .filter((out) => mayConnect(document, nodes, group, out, { step: name, input }) === 'as is'),
  )
  if (sources.length === 1 && sources[0]) {
    const [only] = sources
    return {
      words: words().fixes.connect(only.split('.')[0] ?? only),
      does: () => perform(words().edits.connect, commands.connect(group, only, { step: name, input })),
    }
  }
  if (typeable(port.port)) return null
  return {
    words: words().fixes.find,
    does: () => {
      const middle = useCamera.getState().camera?.middle()
      if (middle) offer({ ...middle, from: { step: name, port: input, out: false } })
    },
  }
}
