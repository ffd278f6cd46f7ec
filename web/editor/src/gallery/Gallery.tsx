import { useEffect, useMemo, useState } from 'react'
import { Link, useLocation, useSearchParams } from 'wouter'
import type { MadeView } from '../api/types'
import { CompareOverlay } from '../common/Compare'
import { useMode } from '../common/mode'
import { Viewer } from '../common/Viewer'
import { useWords } from '../common/words'
import { Chosen } from './Chosen'
import { Details } from './Details'
import { asked, Filters } from './Filters'
import style from './Gallery.module.css'
import { Grid } from './Grid'
import {
  bringBack,
  change,
  fetchFilters,
  followGallery,
  look,
  more,
  select,
  throwAway,
  useGallery,
} from './store'

/** Everything that was made: found, looked at, sorted out, used again. */
export function Gallery() {
  const [params] = useSearchParams()
  const mode = useMode((state) => state.mode)
  const { items, next, selected, loading, problem } = useGallery()
  const { gallery: words } = useWords()
  const [open, setOpen] = useState<string | null>(null)
  const [near, setNear] = useState<string | null>(null)
  const [pair, compare] = useState<readonly [MadeView, MadeView] | null>(null)
  const query = useMemo(() => asked(params, mode), [params, mode])
  useEffect(() => void look(query), [query])
  useEffect(() => void fetchFilters(mode), [mode])
  useEffect(() => followGallery(() => useMode.getState().mode), [])
  const place = (id: string | null) => items.findIndex((one) => one.id === id)
  const shown = items[place(open)]
  const close = items[place(near)]
  const [beforeIt, afterIt] = [items[place(near) - 1], items[place(near) + 1]]
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when another one is looked at
  useEffect(() => {
    if (near && !afterIt && next) void more()
  }, [near])
  const trash = params.has('trash')
  return (
    <main className={style.page} data-open={shown !== undefined}>
      <h1 className="hidden">{words.title}</h1>
      <section className={style.main} aria-label={words.pictures}>
        {selected.length > 0 ? <Chosen compare={(one, two) => compare([one, two])} /> : <Filters />}
        {problem && (
          <p role="alert" className={`problem ${style.said}`}>
            {problem}
          </p>
        )}
        {items.length > 0 ? (
          <Grid
            items={items}
            more={next !== null ? more : null}
            open={open}
            selected={selected}
            pick={(id) => setOpen(open === id ? null : id)}
            look={setNear}
            choose={select}
            star={(one) => void change([one.id], { starred: !one.starred })}
            remove={(ids) => void (trash ? bringBack(ids) : throwAway(ids))}
          />
        ) : (
          !loading && !problem && <Nothing trash={trash} />
        )}
      </section>
      {shown && (
        <aside className={style.drawer} aria-label={words.details}>
          <Details
            key={shown.id}
            item={shown}
            close={() => setOpen(null)}
            look={() => setNear(shown.id)}
            neighbour={items[place(open) + 1] ?? items[place(open) - 1] ?? null}
          />
        </aside>
      )}
      {close && (
        <Viewer
          file={close}
          title={close.prompt || close.title || close.name}
          close={() => setNear(null)}
          before={beforeIt ? () => setNear(beforeIt.id) : null}
          after={afterIt ? () => setNear(afterIt.id) : null}
        />
      )}
      {pair && <CompareOverlay first={side(pair[0])} second={side(pair[1])} close={() => compare(null)} />}
    </main>
  )
}

export function side(one: MadeView) {
  const { url, width, height } = one
  return { url, title: one.prompt || one.title || one.name, ...(width && height ? { width, height } : {}) }
}

/** What to do next where there is nothing to see. */
function Nothing({ trash }: { trash: boolean }) {
  const [params] = useSearchParams()
  const [, go] = useLocation()
  const hidden = useGallery((state) => state.hidden)
  const filtered = [...params.keys()].some((name) => name !== 'trash')
  const { gallery: words, mode } = useWords()
  const word = useMode((state) => mode[(['safe', 'research', 'nsfw'] as const)[state.mode]])
  return (
    <div className={style.nothing}>
      {filtered || hidden > 0 ? (
        <>
          <p className={style.big}>{words.noneFits}</p>
          {hidden > 0 ? (
            <p className="muted">{hidden === 1 ? words.oneAbove(word) : words.someAbove(hidden, word)}</p>
          ) : (
            <p className="muted">{words.fewer}</p>
          )}
          {filtered && (
            <button type="button" className="button" onClick={() => go('/gallery')}>
              {words.showAll}
            </button>
          )}
        </>
      ) : trash ? (
        <>
          <p className={style.big}>{words.trashEmpty}</p>
          <Link className="button" href="/gallery">
            {words.back}
          </Link>
        </>
      ) : (
        <>
          <p className={style.big}>{words.nothing}</p>
          <p className="muted">{words.nothingSays}</p>
          <Link className="button main" href="/">
            {words.make}
          </Link>
        </>
      )}
    </div>
  )
}
