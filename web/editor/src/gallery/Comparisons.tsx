import { Link } from 'wouter'
import { url } from '../api/client'
import type { SweepList } from '../api/types'
import { useAsked } from '../common/asked'
import { useMode } from '../common/mode'
import { ago } from '../common/typical'
import { useWords } from '../common/words'
import style from './Comparison.module.css'
import { varied } from './words'

/** Every comparison, newest first. */
export function Comparisons() {
  const { comparison: words } = useWords()
  const mode = useMode((state) => state.mode)
  const { value, problem } = useAsked<SweepList>(`/api/sweeps?mode=${mode}`)
  return (
    <main className={style.page}>
      <header className={style.head}>
        <div className={style.title}>
          <Link className={`small ${style.back}`} href="/gallery">
            {words.toGallery}
          </Link>
          <h1>{words.all}</h1>
        </div>
      </header>
      {problem && (
        <p role="alert" className="problem">
          {problem}
        </p>
      )}
      {value?.sweeps.length === 0 && (
        <div className={style.nothing}>
          <p className={style.big}>{words.nothing}</p>
          <p className="muted">{words.nothingSays}</p>
          <Link className="button main" href="/graph">
            {words.toGraph}
          </Link>
        </div>
      )}
      <ul className={style.list} aria-label={words.all}>
        {value?.sweeps.map((sweep) => (
          <li key={sweep.id}>
            <Link href={`/comparisons/${sweep.id}`} className={style.card ?? ''}>
              <span className={style.cover}>
                {sweep.cover && <img src={url(`${sweep.cover.url}?size=256`)} alt="" loading="lazy" />}
              </span>
              <strong>{sweep.title || words.untitled}</strong>
              <span className="small muted">{varied(sweep)}</span>
              <span className="small muted">{ago(sweep.created)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </main>
  )
}
