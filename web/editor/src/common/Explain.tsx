import { useState } from 'react'
import { url } from '../api/client'
import type { ExplanationView } from '../api/types'
import { useAsked } from './asked'
import style from './Explain.module.css'
import { Overlay } from './Overlay'
import { decimal } from './typical'
import { useWords } from './words'

interface Props {
  id: string
  title: string
  width?: number
  height?: number
  close: () => void
}

/** Which word of the prompt was heeded where in a picture. */
export function Explain({ id, title, width, height, close }: Props) {
  const { value, problem } = useAsked<ExplanationView>(`/api/artifacts/${id}/explanation`)
  const { explain: words } = useWords()
  const [word, choose] = useState<number | null>(null)
  const [strength, setStrength] = useState(80)
  const found = value?.words ?? []
  const shown = found[word ?? strongest(found)]
  const most = Math.max(...found.map((one) => one.score), 1e-9)
  const made = Object.entries(value?.made ?? {})
  return (
    <Overlay title={words.title(title)} close={close}>
      <div className={style.room}>
        <figure className={style.picture} style={{ aspectRatio: `${width ?? 1} / ${height ?? 1}` }}>
          <img src={url(`/api/artifacts/${id}`)} alt={title} />
          {shown && (
            <img
              className={style.heat}
              src={url(shown.heatmap.url)}
              alt={words.heeded(shown.word)}
              style={{ opacity: strength / 100 }}
            />
          )}
        </figure>
        <aside className={style.side} aria-label={words.words}>
          {problem && (
            <p role="alert" className="problem">
              {problem}
            </p>
          )}
          {value && (
            <>
              <p className="muted small">{words.says}</p>
              <ul className={style.words} aria-label={words.list}>
                {found.map((one, index) => (
                  <li key={`${one.word} ${one.heatmap.id}`}>
                    <button
                      type="button"
                      className={style.word}
                      aria-pressed={one === shown}
                      onClick={() => choose(index)}
                      onMouseEnter={() => choose(index)}
                    >
                      <span>{one.word}</span>
                      <meter min={0} max={most} value={one.score} aria-hidden="true" />
                      <span className="small muted">{Math.round(one.score * 100)} %</span>
                    </button>
                  </li>
                ))}
              </ul>
              <label className={style.strength}>
                <span className="small muted">{words.strength}</span>
                <input
                  type="range"
                  min={0}
                  max={100}
                  value={strength}
                  onChange={(event) => setStrength(Number(event.target.value))}
                />
              </label>
              {value.left_out.length > 0 && (
                <section>
                  <h3>{words.without}</h3>
                  <ul className={style.facts}>
                    {value.left_out.map(({ word, difference }) => (
                      <li key={word}>
                        <span>{word}</span>
                        <span className="muted">{words.different(decimal(difference, 1))}</span>
                      </li>
                    ))}
                  </ul>
                </section>
              )}
              {made.length > 0 && (
                <section>
                  <h3>{words.how}</h3>
                  <ul className={style.facts}>
                    {made.map(([name, how]) => (
                      <li key={name}>
                        <span className="muted">{name.replaceAll('_', ' ')}</span>
                        <span>{how}</span>
                      </li>
                    ))}
                  </ul>
                </section>
              )}
            </>
          )}
        </aside>
      </div>
    </Overlay>
  )
}

function strongest(words: readonly { score: number }[]): number {
  return words.reduce((best, one, index) => (one.score > (words[best]?.score ?? 0) ? index : best), 0)
}
