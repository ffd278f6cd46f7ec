import { useMode } from '../common/mode'
import { useWords } from '../common/words'
import style from './Notice.module.css'

/** What everybody should know of how pictures are checked here, on every page. */
export function Notice() {
  const warning = useMode((state) => state.warning)
  const { app: words } = useWords()
  if (!warning) return null
  const [said, ...rest] = warning.split(/(?<=\.) /)
  return (
    <aside className={style.notice} aria-label={words.safety}>
      <details>
        <summary>{said}</summary>
        <p>{rest.join(' ')}</p>
      </details>
    </aside>
  )
}
