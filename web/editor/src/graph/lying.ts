/** The cards of the graph that is shown, where they lie; and where there is room for another. */
import { usePalette } from '../common/palette'
import { useCamera } from './camera'
import { around, type Lying } from './model/align'
import type { At } from './model/commands'
import { type Document, graphAt } from './model/document'
import { cardOf } from './model/geometry'
import { room } from './model/room'
import { currentDocument, useGraph, whereIs } from './store'

/** The cards of these steps. */
export function lying(names: readonly string[], document = currentDocument()): Record<string, Lying> {
  const { group } = useGraph.getState()
  const nodes = usePalette.getState().nodes
  return Object.fromEntries(
    names.map((name): [string, Lying] => {
      const { width, height } = cardOf(document, nodes, group, name)
      return [name, { at: whereIs(name), width, height }]
    }),
  )
}

/** Where a step goes that `document` has and the graph on the screen has not yet: near to where it is wanted. */
export function placeFor(document: Document, name: string, wanted: At): At {
  const { group } = useGraph.getState()
  return freeFor(cardOf(document, usePalette.getState().nodes, group, name), wanted)
}

/** The free place nearest to where something of this size is wanted. */
export function freeFor(size: { width: number; height: number }, wanted: At): At {
  const names = Object.keys(graphAt(currentDocument(), useGraph.getState().group).steps ?? {})
  return room(Object.values(lying(names)), wanted, size)
}

/** Turn the view so far that these steps are in it. */
export function reveal(names: readonly string[]): void {
  if (names.length === 0) return
  const { at, size } = around(Object.values(lying(names)))
  useCamera.getState().camera?.reveal({ at, width: size[0], height: size[1] })
}
