/** A comparison as one picture: a small workflow that lays its pictures out, each with its values. */

import type { SweepView } from '../api/types'
import { words } from '../common/words'
import type { Document } from '../graph/model/document'
import type { Json } from '../graph/model/ports'
import { nameOf } from './words'

export function sheetOf(sweep: SweepView): Document {
  const columns = sweep.axes[0]?.values.length ?? 1
  const list = (node: string, items: Json[]) => ({ node, values: { items } })
  return {
    tessera: 1,
    title: words().comparison.gridOf(sweep.title || words().comparison.untitled),
    steps: {
      pictures: list(
        'list_of_files',
        sweep.cells.map((cell) => cell.files[0]?.id ?? ''),
      ),
      captions: list(
        'list_of_texts',
        sweep.cells.map((_, at) => nameOf(sweep, at)),
      ),
      open: { node: 'load_image', wires: { image: 'pictures.out' } },
      grid: {
        node: 'contact_sheet',
        values: { columns },
        wires: { images: 'open.image', captions: 'captions.out' },
      },
      save: { node: 'save_image', values: { name: 'comparison' }, wires: { image: 'grid.out' } },
    },
    outputs: { picture: 'save.out' },
  }
}
