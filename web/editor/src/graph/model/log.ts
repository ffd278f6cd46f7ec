/** What the log of a run tells a person: its events as lines. */

import type { Event } from '../../api/live'
import { sentenceOf } from '../../common/problem'
import { seconds } from '../../common/time'
import { words } from '../../common/words'

export type Level = 'info' | 'warning' | 'error'

export interface LogLine {
  key: string
  /** Seconds since 1970. */
  at: number
  run: string
  level: Level
  /** The path of the step; empty for the run as a whole. */
  step: string
  says: string
}

/** What an event says of a step; what is not said is as it always is. */
interface Report {
  state?: string
  cache?: string
  calls?: number
  hits?: number
  seconds?: number
  why?: string
  fallback?: string
  verdicts?: { action?: string }[]
  problem?: Record<string, string>
}

const KNOWN = ['memory', 'disk', 'flight', 'skipped'] as const
const told = () => words().log

/** The lines of one run, from its events in order. */
export function linesOf(events: readonly Event[]): LogLine[] {
  const states = new Map<string, string>()
  const warned = new Set<string>()
  return events.flatMap((event) => {
    const line = (step: string, says: string, level: Level = 'info'): LogLine => ({
      key: `${event.seq} ${step} ${says}`,
      at: event.at,
      run: event.job,
      level,
      step,
      says,
    })
    switch (event.kind) {
      case 'job.created':
        return [line('', told().asked(String(event.data.title ?? '')))]
      case 'job.state':
        return aboutRun(event.data).map(([says, level]) => line('', says, level))
      case 'job.moved':
        return [line('', told().moved)]
      case 'answer':
        return [line(String(event.data.call ?? ''), told().answered(String(event.data.choice)))]
      case 'artifact.created':
        return event.data.kind === 'output' ? [line('', told().kept(fileOf(event.data)))] : []
      case 'steps':
        return Object.entries((event.data.steps ?? {}) as Record<string, Report>).flatMap(
          ([step, report]) => {
            const state = report.state ?? 'waiting'
            const says = states.get(step) === state ? [] : aboutStep(state, report)
            states.set(step, state)
            if (report.fallback && !warned.has(step)) {
              warned.add(step)
              says.push([told().fallback(report.fallback), 'warning'])
            }
            return says.map(([what, level]) => line(step, what, level))
          },
        )
      default:
        return []
    }
  })
}

type Said = [says: string, level: Level]

function aboutRun(data: Record<string, unknown>): Said[] {
  switch (data.state) {
    case 'running':
      return [[told().begun, 'info']]
    case 'queued':
      return [[told().queued, 'info']]
    case 'held':
      return [[told().held, 'info']]
    case 'waiting':
      return [[told().waits, 'warning']]
    case 'done':
      return [[told().done, 'info']]
    case 'cancelled':
      return [[told().cancelled, 'warning']]
    case 'failed':
      return [[told().failed(sentenceOf((data.problem ?? {}) as Record<string, string>)), 'error']]
    default:
      return []
  }
}

function aboutStep(state: string, report: Report): Said[] {
  switch (state) {
    case 'running':
      return [[told().runs(report.why ?? ''), 'info']]
    case 'done':
      return [[done(report), 'info'], ...checked(report)]
    case 'failed':
      return [[told().failed(sentenceOf(report.problem ?? {})), 'error']]
    case 'cancelled':
      return [[told().cancelled, 'warning']]
    case 'asking':
      return [[told().asks, 'warning']]
    case 'skipped':
      return [[told().passedOver, 'info']]
    default:
      return []
  }
}

function done({ cache = '', calls = 0, hits = 0, seconds: span = 0, why }: Report): string {
  const known = KNOWN.find((one) => one === cache)
  if (calls === 0 && known) return told()[known]
  const times = calls + hits > 1 ? told().calls(calls, calls + hits) : ''
  return told().ran(seconds(span), times, why ?? '')
}

/** What a check did that lets a picture not pass as it was. */
function checked({ verdicts = [] }: Report): Said[] {
  const acted = verdicts
    .map(({ action = '' }) => action)
    .filter((one) => !['', 'passed', 'pass'].includes(one))
  return [...new Set(acted)].map((action): Said => [told().checked(action), 'warning'])
}

function fileOf({ name, mime, width, height }: Record<string, unknown>): string {
  const size = width && height ? `, ${width} × ${height}` : ''
  return `${name || told().file} (${String(mime ?? '').replace(/^.*\//, '')}${size})`
}

/** The lines as text, to be pasted elsewhere. */
export function written(lines: readonly LogLine[]): string {
  return lines
    .map(({ at, level, step, says }) => {
      const time = new Date(at * 1000).toISOString()
      return [time, level.padEnd(7), step, says].filter(Boolean).join('  ')
    })
    .join('\n')
}
