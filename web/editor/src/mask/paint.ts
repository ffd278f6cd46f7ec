/** Which pictures a mask may be painted over: those of the form or the graph around an input. */
import { createContext } from 'react'

export interface Paint {
  /** Ids of pictures that are chosen elsewhere in the same form or graph. */
  pictures: readonly string[]
  /** Whether there is an input for the mask itself. */
  masked: boolean
}

export const PaintContext = createContext<Paint>({ pictures: [], masked: false })
