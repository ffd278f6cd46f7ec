/** What can be done while a mask is painted. */
import { type Action, hands } from '../common/actions'

interface Hands {
  tool: (tool: 'brush' | 'eraser' | 'lasso') => void
  brush: (by: number) => void
  invert: () => void
  undo: () => void
  redo: () => void
  zoom: (nearer: boolean) => void
}
export const { now, useHands } = hands<Hands>('mask')

const page = 'mask'
const STEP = 1.2

export const MASK: readonly Action[] = [
  { id: 'mask-brush', page, part: 'Edit', keys: ['b'], does: () => now()?.tool('brush') },
  { id: 'mask-eraser', page, part: 'Edit', keys: ['e'], does: () => now()?.tool('eraser') },
  { id: 'mask-lasso', page, part: 'Edit', keys: ['l'], does: () => now()?.tool('lasso') },
  { id: 'mask-thinner', page, part: 'Edit', keys: ['['], does: () => now()?.brush(1 / STEP) },
  { id: 'mask-thicker', page, part: 'Edit', keys: [']'], does: () => now()?.brush(STEP) },
  { id: 'mask-invert', page, part: 'Edit', keys: ['i'], does: () => now()?.invert() },
  { id: 'mask-undo', page, part: 'Edit', keys: ['Control+z'], does: () => now()?.undo() },
  {
    id: 'mask-redo',
    page,
    part: 'Edit',
    keys: ['Control+Shift+z', 'Control+y'],
    does: () => now()?.redo(),
  },
  { id: 'mask-nearer', page, part: 'View', keys: ['+', 'Shift++', '='], does: () => now()?.zoom(true) },
  { id: 'mask-further', page, part: 'View', keys: ['-'], does: () => now()?.zoom(false) },
]
