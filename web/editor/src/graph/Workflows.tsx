import { Copy, Download, FilePlus2, FolderOpen, Link2, Pencil, Trash2 } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Link } from 'wouter'
import { ago } from '../common/typical'
import { useWords } from '../common/words'
import { useWorkflows } from '../create/workflows'
import { IconButton } from '../widgets/IconButton'
import { SearchField } from '../widgets/SearchField'
import { say } from './actions'
import { type Draft, drafts, drop } from './drafts'
import style from './Graph.module.css'
import { askName, askRename } from './Naming'
import { copyLink, download, openFile } from './share'
import { useGraph } from './store'
import own from './Tabs.module.css'
import { bringBack, fresh, useTabs } from './tabs'
import { remove, takeBack, useGone } from './workflows'

/** The library: own workflows first, then those that came along, and what was never saved. */
export function Workflows() {
  const { rail: words } = useWords()
  const { listed } = useWorkflows()
  const { gone } = useGone()
  const [text, type] = useState('')
  const found = listed.filter((one) => `${one.title} ${one.name}`.toLowerCase().includes(text.toLowerCase()))
  return (
    <>
      <div style={{ display: 'grid', gap: 8 }}>
        <div className="spread">
          <button type="button" className="button grow" onClick={() => void fresh()}>
            <FilePlus2 size={14} aria-hidden="true" /> {words.new}
          </button>
          <button type="button" className="button grow" onClick={askName}>
            <Copy size={14} aria-hidden="true" /> {words.saveAs}
          </button>
        </div>
        <div className={own.three}>
          <button type="button" className="button" title={words.openFileHelp} onClick={openFile}>
            <FolderOpen size={14} aria-hidden="true" /> {words.openFile}
          </button>
          <button type="button" className="button" title={words.fileHelp} onClick={download}>
            <Download size={14} aria-hidden="true" /> {words.file}
          </button>
          <button type="button" className="button" title={words.linkHelp} onClick={() => void copyLink()}>
            <Link2 size={14} aria-hidden="true" /> {words.link}
          </button>
        </div>
        <SearchField
          label={words.findWorkflow}
          says={words.amongWorkflows(listed.length)}
          text={text}
          type={type}
        />
        {gone && (
          <div role="status" className="spread small">
            <span className="grow">{words.deleted(gone.name)}</span>
            <button type="button" className="button" onClick={() => void takeBack(gone).catch(say)}>
              {words.takeBack}
            </button>
          </div>
        )}
      </div>
      <div className={style.list}>
        <Left />
        <Part title={words.yours} of={found.filter((one) => !one.shipped)} />
        <Part title={words.shipped} of={found.filter((one) => one.shipped)} />
      </div>
    </>
  )
}

function Part({ title, of }: { title: string; of: { name: string; title: string; shipped: boolean }[] }) {
  const { rail: words } = useWords()
  const current = useGraph((state) => state.name)
  if (of.length === 0) return null
  return (
    <section aria-label={title}>
      <h3 className="muted small">{title}</h3>
      <ul>
        {of.map((one) => (
          <li key={one.name} className={own.row}>
            <Link
              href={`/graph/${encodeURIComponent(one.name)}`}
              className={style.node ?? ''}
              title={one.name}
              aria-current={one.name === current ? 'page' : undefined}
            >
              <strong>{one.title || one.name}</strong>
            </Link>
            {!one.shipped && (
              <span className="spread" style={{ gap: 0 }}>
                <IconButton
                  label={words.rename(one.name)}
                  icon={Pencil}
                  size={14}
                  onClick={() => askRename(one.name)}
                />
                <IconButton
                  label={words.delete(one.name)}
                  icon={Trash2}
                  size={14}
                  onClick={() => void remove(one.name).catch(say)}
                />
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Drafts whose windows are gone. */
function Left() {
  const { rail: words, graph } = useWords()
  const tabs = useTabs((state) => state.tabs)
  const [left, setLeft] = useState<Draft[]>([])
  useEffect(() => {
    const open = new Set(tabs.map((one) => one.id))
    const show = (found: Draft[]) => setLeft(found.filter((one) => !one.held && !open.has(one.id)))
    void drafts().then(show).catch(say)
  }, [tabs])
  if (left.length === 0) return null
  return (
    <section aria-label={words.notSaved}>
      <h3 className="muted small">{words.notSaved}</h3>
      <ul>
        {left.map((draft) => (
          <li key={draft.id} className={own.row}>
            <button type="button" className={style.node} onClick={() => void bringBack(draft).catch(say)}>
              <strong>{draft.title || draft.name || graph.untitled}</strong>
              <span className="small muted">
                {draft.name ? words.draftOf(draft.name) : ''}
                {ago(draft.saved)}
              </span>
            </button>
            <IconButton
              label={words.dropDraft(draft.title)}
              icon={Trash2}
              size={14}
              onClick={() => {
                setLeft(left.filter((one) => one !== draft))
                void drop(draft.id).catch(say)
              }}
            />
          </li>
        ))}
      </ul>
    </section>
  )
}
