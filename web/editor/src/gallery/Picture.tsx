import { useEffect, useState } from 'react'
import { Link, useParams } from 'wouter'
import { url } from '../api/client'
import { live } from '../api/live'
import type { MadeView } from '../api/types'
import { useAsked } from '../common/asked'
import { useMode } from '../common/mode'
import { Viewer } from '../common/Viewer'
import { useWords } from '../common/words'
import { Details } from './Details'
import style from './Gallery.module.css'
import { about } from './Grid'
import { useGallery } from './store'

/** One picture as a page, to be kept or sent as a link. */
export function Picture() {
  const { id = '' } = useParams<{ id: string }>()
  const { gallery: words, details } = useWords()
  const mode = useMode((state) => state.mode)
  const { value, problem, again } = useAsked<MadeView>(`/api/gallery/${encodeURIComponent(id)}?mode=${mode}`)
  const [near, look] = useState(false)
  useEffect(() => {
    useGallery.setState({ query: null, items: value ? [value] : [], next: null })
  }, [value])
  useEffect(
    () =>
      live.listen({
        event: ({ kind, data }) => {
          const mine = kind === 'artifact.changed' && Array.isArray(data.ids) && data.ids.includes(id)
          if (mine || (kind === 'job.state' && data.state === 'done')) again()
        },
      }),
    [id, again],
  )
  const here = useGallery((state) => state.items.find((one) => one.id === id)) ?? value
  if (!here)
    return (
      <main className={style.nothing}>
        {problem && (
          <>
            <p className={style.big}>{words.notSeen}</p>
            <p className="muted">{problem}</p>
            <Link className="button" href="/gallery">
              {words.toGallery}
            </Link>
          </>
        )}
      </main>
    )
  return (
    <main className={style.alone}>
      <h1 className="hidden">{about(here)}</h1>
      <section className={style.stage} aria-label={words.picture}>
        {here.mime.startsWith('video/') ? (
          <video src={url(here.url)} controls loop autoPlay muted />
        ) : here.mime.startsWith('audio/') ? (
          // biome-ignore lint/a11y/useMediaCaption: what was made here has none
          <audio src={url(here.url)} controls />
        ) : (
          <button
            type="button"
            className={style.closer}
            aria-label={details.closer}
            onClick={() => look(true)}
          >
            <img src={url(here.url)} alt={about(here)} />
          </button>
        )}
      </section>
      <aside className={style.drawer} aria-label={words.details}>
        <Link className={`small ${style.back}`} href="/gallery">
          {words.backTo}
        </Link>
        <Details item={here} neighbour={null} look={() => look(true)} alone />
      </aside>
      {near && <Viewer file={here} title={about(here)} close={() => look(false)} />}
    </main>
  )
}
