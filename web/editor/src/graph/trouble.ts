/** What went wrong is brought into view when it is told: the step, and the sentence under it. */
import { useEffect } from 'react'
import { useRuns } from '../common/runs'
import { useCamera } from './camera'
import { lying } from './lying'
import type { Lying } from './model/align'
import { graphAt } from './model/document'
import { pathOf } from './reports'
import { currentDocument, useGraph } from './store'

const LEGIBLE = 0.6 // the zoom from which on it can be read
const PANEL = 120 // how high the sentence and its button are, about

/** The step of a run that failed first, as a path. */
export function useFailed(): string | null {
  const run = useGraph((state) => state.run)
  return useRuns((state) => {
    const known = run ? state.runs[run] : undefined
    if (known?.state !== 'failed') return null
    return (
      known.error?.step ||
      Object.entries(known.steps ?? {}).find(([, one]) => one.state === 'failed')?.[0] ||
      null
    )
  })
}

export function useTrouble(): void {
  const refused = useGraph((state) => state.problems[0])
  const failed = useFailed()
  useEffect(() => {
    const card = refused?.step && cardAt(refused.step)
    if (card) useCamera.getState().camera?.reveal(card, LEGIBLE)
  }, [refused])
  useEffect(() => {
    const card = failed && cardAt(failed)
    const camera = useCamera.getState().camera
    if (card && camera?.sees(card)) camera.reveal(card) // who looks elsewhere meanwhile is not torn away
  }, [failed])
}

/** The card of a path, with what is said under it, if it is in the graph that is shown. */
function cardAt(path: string): Lying | null {
  const { group } = useGraph.getState()
  const document = currentDocument()
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/#\d+$/, '')
  if (!graphAt(document, group).steps?.[name] || pathOf(document, group, name) !== path) return null
  const card = lying([name])[name]
  return card ? { ...card, height: card.height + PANEL } : null
}
