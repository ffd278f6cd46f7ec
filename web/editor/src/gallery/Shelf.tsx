import { useEffect, useState } from 'react'
import { ask, Refused, url } from '../api/client'
import { live } from '../api/live'
import type { MadeList, MadeView } from '../api/types'
import { useMode } from '../common/mode'
import { useWords } from '../common/words'
import { SearchField } from '../widgets/SearchField'
import style from './Gallery.module.css'
import { about, drag } from './Grid'

const NEWEST = 60
const PAUSE = 200 // milliseconds

interface Props {
  /** What a click does; dragging hands a picture to whatever takes one. */
  use: (id: string) => void
}

/** The newest pictures in a narrow column, to be dragged into a graph or a form. */
export function Shelf({ use }: Props) {
  const mode = useMode((state) => state.mode)
  const { gallery: words } = useWords()
  const [text, type] = useState('')
  const [found, setFound] = useState<{ items: MadeView[]; said: string } | null>(null)
  useEffect(() => {
    const look = () => {
      const query = new URLSearchParams({ mode: `${mode}`, kind: 'picture', limit: `${NEWEST}`, text })
      ask<MadeList>(`/api/gallery?${query}`).then(
        ({ items }) => setFound({ items, said: '' }),
        (error) => setFound({ items: [], said: error instanceof Refused ? error.message : String(error) }),
      )
    }
    const timer = setTimeout(look, text ? PAUSE : 0)
    const stop = live.listen({
      event: ({ kind, data }) =>
        (kind === 'artifact.changed' || (kind === 'job.state' && data.state === 'done')) && look(),
    })
    return () => {
      clearTimeout(timer)
      stop()
    }
  }, [text, mode])
  return (
    <div className={style.shelf}>
      <SearchField label={words.find} text={text} type={type} />
      {found?.said && <p role="alert">{found.said}</p>}
      {found && found.items.length === 0 && !found.said && (
        <p className="muted small">{text ? words.noneFits : words.shelf}</p>
      )}
      <ul aria-label={words.pictures}>
        {found?.items.map((item) => (
          <li key={item.id}>
            <button
              type="button"
              title={about(item)}
              aria-label={words.add(about(item))}
              draggable
              onDragStart={({ dataTransfer, currentTarget }) => drag(dataTransfer, item, currentTarget)}
              onClick={() => use(item.id)}
            >
              <img src={url(`${item.url}?size=256`)} alt="" loading="lazy" draggable={false} />
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
