import { Link } from 'wouter'
import { url } from '../api/client'
import { filesOf } from '../common/files'
import { about, type Known, useRuns } from '../common/runs'
import { useWords } from '../common/words'
import style from './Create.module.css'

const MOST = 60

interface Props {
  shown: string[]
  show: (run: Known) => void
}

/** The pictures of today, then those before; a click brings back what made them. */
export function History({ shown, show }: Props) {
  const { runs, order, loaded } = useRuns()
  const { create: words } = useWords()
  const made = order
    .map((id) => runs[id])
    .filter((run) => run !== undefined && filesOf(run.outputs).length > 0)
    .slice(0, MOST) as Known[]
  const midnight = new Date().setHours(0, 0, 0, 0) / 1000
  const parts = [
    [words.today, made.filter((run) => run.created >= midnight)],
    [words.before, made.filter((run) => run.created < midnight)],
  ] as const
  return (
    <aside className={style.history} aria-label={words.history}>
      {loaded && made.length === 0 && (
        <>
          <h2>{words.today}</h2>
          <p className="muted small">{words.gathers}</p>
        </>
      )}
      {parts.map(
        ([title, some]) =>
          some.length > 0 && (
            <section key={title} className={style.day} aria-label={title}>
              <h2>{title}</h2>
              <ul className={style.grid}>
                {some.map((run) => (
                  <li key={run.id}>
                    <button
                      type="button"
                      className={style.thumb}
                      aria-pressed={shown.includes(run.id)}
                      title={about(run)}
                      aria-label={words.bringBack(about(run))}
                      onClick={() => show(run)}
                    >
                      <img src={url(`${filesOf(run.outputs)[0]?.url}?size=256`)} alt="" loading="lazy" />
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ),
      )}
      {made.length > 0 && (
        <Link href="/gallery" className="small muted">
          {words.allInGallery}
        </Link>
      )}
    </aside>
  )
}
