/** A comparison in words. */

import type { Axis, SweepSummary } from '../api/types'
import { words } from '../common/words'
import { labelled } from '../graph/model/sweep'

export function titleOf(axis: Axis | undefined): string {
  return axis?.title || axis?.to.split('.')[1] || ''
}

/** The values of a cell. */
export function nameOf({ axes }: Pick<SweepSummary, 'axes'>, at: number): string {
  const wide = axes[0]?.values.length ?? 1
  return axes
    .map((axis, which) => {
      const value = axis.values[which === 0 ? at % wide : Math.floor(at / wide)]
      return `${titleOf(axis)} ${labelled(value ?? null)}`
    })
    .join(', ')
}

/** What is varied, and how many pictures that makes. */
export function varied({ axes, runs }: Pick<SweepSummary, 'axes' | 'runs'>): string {
  const sides = axes.map((axis) => `${titleOf(axis)} (${axis.values.length})`).join(' × ')
  return `${sides} · ${runs.length === 1 ? words().sweep.one : words().sweep.runs(runs.length)}`
}
