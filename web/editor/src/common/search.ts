/** Finding nodes by words. */
import MiniSearch from 'minisearch'
import { useMemo } from 'react'
import type { NodeSpec } from '../graph/model/nodes'

/** The nodes that a text finds, best first; all of them in their order without one. */
export function useSearch(specs: readonly NodeSpec[], text: string): readonly NodeSpec[] {
  const index = useMemo(() => {
    const made = new MiniSearch<NodeSpec>({
      fields: ['title', 'id', 'category', 'help'],
      searchOptions: {
        boost: { title: 6, id: 4, category: 2 },
        prefix: true,
        fuzzy: 0.2,
        combineWith: 'AND',
      },
    })
    made.addAll(specs)
    return made
  }, [specs])
  const byId = useMemo(() => new Map(specs.map((spec) => [spec.id, spec])), [specs])
  if (text.trim() === '') return [...specs].sort((a, b) => a.title.localeCompare(b.title))
  return index.search(text).flatMap(({ id }) => byId.get(id) ?? [])
}
