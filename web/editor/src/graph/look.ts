/** A picture that a step made, looked at over the whole window. */
import { create } from 'zustand'
import type { FileView } from '../api/types'
import { useRuns } from '../common/runs'
import { filesFrom } from './pictures'
import { useGraph } from './store'

export const useLook = create<{ file: FileView | null }>(() => ({ file: null }))

/** What the one step that is selected made in the last run, if it is a picture. */
export function pictureOf(names: readonly string[]): FileView | null {
  const { run, group } = useGraph.getState()
  const [name] = names
  return names.length === 1 && name ? (filesFrom(useRuns.getState(), run, group, name)[0] ?? null) : null
}

export function look(names: readonly string[]): void {
  useLook.setState({ file: pictureOf(names) })
}
