/** What can be done on the page Create. */
import { type Action, hands } from '../common/actions'

interface Hands {
  make: () => void
  again: (() => void) | null
  stop: (() => void) | null
}
export const { now, useHands } = hands<Hands>('create')

export const CREATE: readonly Action[] = [
  {
    id: 'make',
    page: 'create',
    part: 'Run',
    keys: ['Control+Enter'],
    always: true,
    does: () => now()?.make(),
  },
  {
    id: 'make-again',
    page: 'create',
    part: 'Run',
    keys: ['Alt+Enter'],
    always: true,
    when: () => now()?.again != null,
    does: () => now()?.again?.(),
  },
  {
    id: 'make-stop',
    page: 'create',
    part: 'Run',
    keys: ['Control+Alt+Enter'],
    always: true,
    when: () => now()?.stop != null,
    does: () => now()?.stop?.(),
  },
]
