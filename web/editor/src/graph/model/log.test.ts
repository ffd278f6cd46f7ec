import { expect, test } from 'vitest'
import type { Event } from '../../api/live'
import { linesOf, written } from './log'

let seq = 0
const event = (kind: string, data: Record<string, unknown>): Event => ({
  seq: ++seq,
  kind,
  at: 100 + seq,
  job: 'r',
  data,
})
const steps = (reports: Record<string, unknown>) => event('steps', { steps: reports })
const said = (events: Event[]) => linesOf(events).map(({ step, level, says }) => [step, level, says])

test('a run is told from its beginning to its end', () => {
  expect(
    said([
      event('job.created', { title: 'Tile' }),
      event('job.state', { state: 'running' }),
      steps({ plain: { state: 'running', why: 'colour changed' }, other: {} }),
      steps({ plain: { state: 'done', cache: 'ran', calls: 1, seconds: 2, why: 'colour changed' } }),
      steps({ other: { state: 'done', cache: 'disk', hits: 1 } }),
      event('artifact.created', { kind: 'output', name: 'tile.png', mime: 'image/png', width: 9, height: 5 }),
      event('job.state', { state: 'done' }),
    ]),
  ).toEqual([
    ['', 'info', 'Asked for: Tile.'],
    ['', 'info', 'Begun.'],
    ['plain', 'info', 'Runs: colour changed.'],
    ['plain', 'info', 'Ran in 2 s; because: colour changed.'],
    ['other', 'info', 'Known already: it was on the disk.'],
    ['', 'info', 'Kept tile.png (png, 9 × 5).'],
    ['', 'info', 'Done.'],
  ])
})

test('a step that goes on running is told once, and a lack of memory once', () => {
  const lines = said([
    steps({ loop: { state: 'running', calls: 1 } }),
    steps({ loop: { state: 'running', calls: 2, fallback: 'halves' } }),
    steps({ loop: { state: 'done', calls: 3, hits: 1, seconds: 90, fallback: 'halves' } }),
  ])
  expect(lines).toEqual([
    ['loop', 'info', 'Runs.'],
    ['loop', 'warning', 'For lack of memory it ran with halves.'],
    ['loop', 'info', 'Ran in 1 min 30 s, 3 of 4 calls.'],
  ])
})

test('what went wrong stands out, with its remedy', () => {
  const problem = {
    code: 'bad_value',
    step: 'crop',
    input: 'width',
    got: '9',
    want: 'at most 5',
    remedy: 'Use less.',
  }
  const events = [
    steps({ crop: { state: 'failed', problem } }),
    event('job.state', { state: 'failed', problem }),
    steps({ save: { state: 'done', calls: 1, verdicts: [{ action: 'blurred' }, { action: 'blurred' }] } }),
  ]
  const lines = linesOf(events)
  expect(lines.map((line) => line.level)).toEqual(['error', 'error', 'info', 'warning'])
  expect(lines[0]?.says).toContain('at most 5')
  expect(lines[0]?.says).toContain('Use less.')
  expect(new Set(lines.map((line) => line.key)).size).toBe(lines.length)
  expect(written(lines.slice(0, 1))).toMatch(/^1970-01-01T.*Z {2}error {4}crop {2}Failed\./)
})
