/** What is being looked for on the canvas: a node to add, perhaps one that fits a wire that was let go. */
import { create } from 'zustand'

export interface Offer {
  /** On the screen. */
  x: number
  y: number
  /** On the canvas. */
  at: [number, number]
  from?: { step: string; port: string; out: boolean }
  /** The end of the wire that it goes into. */
  into?: { step: string; input: string }
}

export const useOffer = create<{ offer: Offer | null }>(() => ({ offer: null }))

export function offer(what: Offer | null): void {
  useOffer.setState({ offer: what })
}
