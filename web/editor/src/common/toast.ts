/** A sentence that goes by itself, with a way back where there is one. */
import { create } from 'zustand'

export interface Toast {
  said: string
  word?: string
  does?: () => unknown
}

export const useToast = create<{ toast: Toast | null }>(() => ({ toast: null }))

export function say(said: string, word?: string, does?: () => unknown): void {
  useToast.setState({ toast: word && does ? { said, word, does } : { said } })
}

export function hush(): void {
  useToast.setState({ toast: null })
}
