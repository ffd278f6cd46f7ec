/** What can be done in the gallery, with the picture that has the focus or with those that are selected. */
import { type Action, hands } from '../common/actions'

export type Way = 'left' | 'right' | 'up' | 'down' | 'first' | 'last'
interface Hands {
  look: () => void
  open: () => void
  select: () => void
  star: () => void
  remove: () => void
  all: () => void
  leave: () => void
  go: (way: Way) => void
}
export const { now, useHands } = hands<Hands>('gallery')

const page = 'gallery'
const WAYS: Record<Way, string> = {
  left: 'ArrowLeft',
  right: 'ArrowRight',
  up: 'ArrowUp',
  down: 'ArrowDown',
  first: 'Home',
  last: 'End',
}

export const GALLERY: readonly Action[] = [
  { id: 'gallery-look', page, part: 'View', keys: [' '], does: () => now()?.look() },
  { id: 'gallery-open', page, part: 'View', keys: [], does: () => now()?.open() },
  { id: 'gallery-select', page, part: 'Edit', keys: ['x'], does: () => now()?.select() },
  { id: 'gallery-star', page, part: 'Edit', keys: ['s'], does: () => now()?.star() },
  { id: 'gallery-delete', page, part: 'Edit', keys: ['Delete'], does: () => now()?.remove() },
  { id: 'gallery-all', page, part: 'Edit', keys: ['Control+a'], does: () => now()?.all() },
  { id: 'gallery-leave', page, part: 'View', keys: ['Escape'], does: () => now()?.leave() },
  ...(Object.keys(WAYS) as Way[]).map(
    (way): Action => ({
      id: `gallery-${way}`,
      page,
      part: 'Move',
      keys: [WAYS[way]],
      does: () => now()?.go(way),
    }),
  ),
]
