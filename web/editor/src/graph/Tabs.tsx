import { Plus, X } from 'lucide-react'
import { useEffect, useRef } from 'react'
import { useWords } from '../common/words'
import { keysFor } from './actions'
import { useGraph } from './store'
import style from './Tabs.module.css'
import { activate, close, fresh, useTabs } from './tabs'

/** The workflows that are open in this window. */
export function Tabs() {
  const tabs = useTabs((state) => state.tabs)
  const current = useGraph((state) => state.tab)
  const { graph: words } = useWords()
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    list.current?.querySelector(`#tab-${current}`)?.parentElement?.scrollIntoView({ inline: 'nearest' })
  }, [current])
  const walk = (from: number, by: number) => {
    const next = tabs[(from + by + tabs.length) % tabs.length]
    if (!next) return
    void activate(next.id)
    list.current?.querySelector<HTMLElement>(`#tab-${next.id}`)?.focus()
  }
  return (
    <div className={style.bar}>
      <div ref={list} className={style.tabs}>
        {/* A list of tabs may hold nothing else: it owns them from beside, and leaves out what closes them. */}
        <span
          role="tablist"
          aria-label={words.open}
          aria-owns={tabs.map(({ id }) => `tab-${id}`).join(' ')}
        />
        {tabs.map((tab, at) => (
          <div key={tab.id} className={style.tab} data-current={tab.id === current}>
            <button
              type="button"
              role="tab"
              id={`tab-${tab.id}`}
              aria-selected={tab.id === current}
              aria-label={tab.unsaved ? words.notSaved(tab.title) : tab.title}
              tabIndex={tab.id === current ? 0 : -1}
              className={style.word}
              title={tab.name || words.noName}
              onClick={() => void activate(tab.id)}
              onAuxClick={(event) => event.button === 1 && void close(tab.id)}
              onKeyDown={(event) => {
                if (event.key === 'ArrowRight') walk(at, 1)
                else if (event.key === 'ArrowLeft') walk(at, -1)
                else if (event.key === 'Delete') void close(tab.id)
                else return
                event.preventDefault()
                event.stopPropagation()
              }}
            >
              <span className={style.title}>{tab.title}</span>
              {tab.unsaved && <span className={style.mark} aria-hidden="true" />}
            </button>
            <button
              type="button"
              className={style.close}
              tabIndex={tab.id === current ? 0 : -1}
              aria-label={words.close(tab.title)}
              onClick={() => void close(tab.id)}
            >
              <X size={12} aria-hidden="true" />
            </button>
          </div>
        ))}
      </div>
      <button
        type="button"
        className={style.more}
        aria-label={words.new}
        title={words.newKeys(keysFor('new'))}
        onClick={() => void fresh()}
      >
        <Plus size={14} aria-hidden="true" />
      </button>
    </div>
  )
}
