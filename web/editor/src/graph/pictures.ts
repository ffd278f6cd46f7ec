/** The pictures that a step of the graph saved in a run. */
import type { FileView } from '../api/types'
import { filesOf } from '../common/files'
import type { Known } from '../common/runs'
import { split } from './model/document'
import { useGraph } from './store'

/** The pictures among the named outputs that come from this step. */
export function filesFrom(
  state: { runs: Record<string, Known> },
  run: string | null,
  group: string,
  name: string,
): FileView[] {
  const known = run ? state.runs[run] : undefined
  if (!known || group !== '') return []
  const outputs = useGraph.getState().history.document.outputs ?? {}
  return Object.entries(outputs)
    .filter(([, wire]) => split(wire)[0] === name)
    .flatMap(([output]) => filesOf({ [output]: known.outputs[output] }))
    .filter((file) => file.mime.startsWith('image/'))
}

/** Their addresses. */
export function picturesOf(...of: Parameters<typeof filesFrom>): string[] {
  return filesFrom(...of).map((file) => file.url)
}
