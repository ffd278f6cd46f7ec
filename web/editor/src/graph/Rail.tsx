import { Boxes, FileImage, FolderOpen, Images, Layers, ListTree, SlidersHorizontal } from 'lucide-react'
import { useMemo, useState } from 'react'
import { NARROW, PHONE, useMedia } from '../common/media'
import { usePalette } from '../common/palette'
import { useSearch } from '../common/search'
import { useWords, words } from '../common/words'
import { Shelf } from '../gallery/Shelf'
import { SearchField } from '../widgets/SearchField'
import { useCamera } from './camera'
import { use } from './drop'
import style from './Graph.module.css'
import { Inspector } from './Inspector'
import { summary } from './model/nodes'
import { Outline } from './Outline'
import { place } from './Search'
import { ModelList, TemplateList } from './Shelves'
import { Workflows } from './Workflows'

const PANELS = [
  { id: 'nodes', icon: Boxes, body: Palette },
  { id: 'workflows', icon: FolderOpen, body: Workflows },
  { id: 'models', icon: Layers, body: ModelList },
  { id: 'templates', icon: Images, body: TemplateList },
  { id: 'pictures', icon: FileImage, body: Pictures },
  { id: 'outline', icon: ListTree, body: Outline },
  { id: 'details', icon: SlidersHorizontal, body: Inspector },
] as const

/** What can be brought onto the canvas, and the graph as a list. */
export function Rail() {
  const [open, setOpen] = useState<(typeof PANELS)[number]['id'] | null>(null)
  const { rail: words } = useWords()
  const [narrow, phone] = [useMedia(NARROW), useMedia(PHONE)]
  const panels = PANELS.filter(({ id }) => narrow || id !== 'details') // else they stand at the right
  const panel = panels.find((one) => one.id === open)
  return (
    <aside className={style.rail} aria-label={words.title}>
      <div
        role="tablist"
        aria-orientation={phone ? 'horizontal' : 'vertical'}
        aria-label={words.panels}
        className={style.icons}
      >
        {panels.map(({ id, icon: Icon }) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`tab-${id}`}
            aria-selected={id === open}
            aria-controls="rail-panel"
            className={style.tab}
            onClick={() => setOpen(id === open ? null : id)}
          >
            <Icon size={18} aria-hidden="true" />
            <span>{words[id]}</span>
          </button>
        ))}
      </div>
      {panel && (
        <div id="rail-panel" role="tabpanel" aria-labelledby={`tab-${panel.id}`} className={style.panel}>
          <panel.body />
        </div>
      )}
    </aside>
  )
}

function Pictures() {
  return <Shelf use={use} />
}

function Palette() {
  const nodes = usePalette((state) => state.nodes)
  const failed = usePalette((state) => state.failed)
  const { rail: says } = useWords()
  const [text, type] = useState('')
  const all = useMemo(() => [...nodes.values()], [nodes])
  const found = useSearch(all, text)
  const groups = useMemo(() => {
    const made = new Map<string, typeof all>()
    for (const spec of found) made.set(spec.category, [...(made.get(spec.category) ?? []), spec])
    return text
      ? [[words().rail.found, [...found]] as const]
      : [...made.entries()].sort(([a], [b]) => a.localeCompare(b))
  }, [found, text])
  const add = (id: string) => {
    const spec = nodes.get(id)
    const middle = useCamera.getState().camera?.middle()
    if (spec && middle) place(spec, middle, nodes)
  }
  return (
    <>
      <SearchField label={says.findNode} says={says.amongNodes(nodes.size)} text={text} type={type} />
      {failed.map((one) => (
        <p key={one.pack} className="problem small">
          {says.broken(one.pack, one.reason)}
        </p>
      ))}
      <div className={style.list}>
        {groups.map(([category, specs]) => (
          <details key={category} open={text !== ''}>
            <summary>
              {category} <span className="muted small">{specs.length}</span>
            </summary>
            <ul>
              {specs.map((spec) => (
                <li key={spec.id}>
                  <button type="button" className={style.node} title={spec.help} onClick={() => add(spec.id)}>
                    <strong>{spec.title}</strong>
                    <span className="muted small">{summary(spec)}</span>
                  </button>
                </li>
              ))}
            </ul>
          </details>
        ))}
      </div>
    </>
  )
}
