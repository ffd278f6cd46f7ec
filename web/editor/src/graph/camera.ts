/** What of the canvas the keys can turn: where it looks, and whether wires are being cut. */
import { create } from 'zustand'
import type { Lying } from './model/align'
import type { At } from './model/commands'

export interface Camera {
  /** Look at these steps, or at all. */
  fit(names?: readonly string[]): void
  zoom(by: number): void
  /** Move just so far that all of this is seen, and come near if it is smaller than `least`. */
  reveal(card: Lying, least?: number): void
  /** Whether some of this is seen. */
  sees(card: Lying): boolean
  /** Lead a wire by way of a point. */
  bend(wire: string, at: At): void
  /** What lies here on the screen, on the canvas. */
  under(x: number, y: number): At
  /** Where this lies on the screen. */
  screen(at: At): { x: number; y: number }
  /** Where the mouse is on the canvas, if it is over it. */
  pointer(): At | null
  /** Where a card in the middle of what is seen begins; and the middle, on the screen. */
  middle(): { at: At; x: number; y: number }
}

export const useCamera = create<{
  camera: Camera | null
  cutting: boolean
  /** The step whose title is being typed. */
  titling: string | null
}>(() => ({ camera: null, cutting: false, titling: null }))
