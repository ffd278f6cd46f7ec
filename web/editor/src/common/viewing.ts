/** What can be done while a picture is looked at. */
import { type Action, hands } from './actions'

interface Hands {
  before: (() => void) | null
  after: (() => void) | null
  larger: () => void
  smaller: () => void
  fit: () => void
  exact: () => void
}
export const { now, useHands } = hands<Hands>('viewer')

const page = 'viewer'

export const VIEWER: readonly Action[] = [
  {
    id: 'viewer-before',
    page,
    part: 'Move',
    keys: ['ArrowLeft'],
    when: () => now()?.before != null,
    does: () => now()?.before?.(),
  },
  {
    id: 'viewer-after',
    page,
    part: 'Move',
    keys: ['ArrowRight'],
    when: () => now()?.after != null,
    does: () => now()?.after?.(),
  },
  { id: 'viewer-larger', page, part: 'View', keys: ['+', 'Shift++', '='], does: () => now()?.larger() },
  { id: 'viewer-smaller', page, part: 'View', keys: ['-'], does: () => now()?.smaller() },
  { id: 'viewer-fit', page, part: 'View', keys: ['0'], does: () => now()?.fit() },
  { id: 'viewer-exact', page, part: 'View', keys: ['1'], does: () => now()?.exact() },
]
