/** How long a workflow takes here: the middle of its last runs that had to draw. */

import { useShallow } from 'zustand/react/shallow'
import { useRuns } from './runs'

export { ago, decimal, seconds } from './time'

const LAST = 9
const KNOWN = 0.15 // seconds under which a run only looked its result up

export function useTypical(workflow: string): number | null {
  const times = useRuns(
    useShallow((state) =>
      state.order
        .map((id) => state.runs[id])
        .filter((run) => run?.workflow === workflow && run.state === 'done' && run.started && run.finished)
        .map((run) => (run?.finished ?? 0) - (run?.started ?? 0))
        .filter((time) => time > KNOWN)
        .slice(0, LAST),
    ),
  )
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? null
}
