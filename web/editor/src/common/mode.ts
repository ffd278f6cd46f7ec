/** How the pictures of this window's runs are checked: 0 Safe, 1 Research, 2 NSFW. */
import { create } from 'zustand'
import { ask } from '../api/client'

export type Mode = 0 | 1 | 2
interface State {
  mode: Mode
  /** The highest that the server allows. */
  limit: Mode
  /** The setting that says so. */
  who: string
  /** What everybody should know of the checkers here; empty if there is nothing. */
  warning: string
}

export const useMode = create<State>(() => ({ mode: 0, limit: 2, who: '', warning: '' }))

export function setMode(mode: Mode): void {
  useMode.setState({ mode })
}

export async function fetchMode(): Promise<void> {
  const { safety } = await ask<{ safety: { mode: Mode; limit?: Mode; setting?: string; warning?: string } }>(
    '/api/info',
  )
  useMode.setState({
    mode: safety.mode,
    limit: safety.limit ?? 2,
    who: safety.setting ?? '',
    warning: safety.warning ?? '',
  })
}
