import { FlaskConical, ShieldCheck, TriangleAlert } from 'lucide-react'
import { useRef, useState } from 'react'
import { type Mode, setMode, useMode } from '../common/mode'
import { useWords } from '../common/words'
import style from './ModeSlider.module.css'

const STOPS = [
  { mode: 0, word: 'safe', icon: ShieldCheck, says: 'safeSays' },
  { mode: 1, word: 'research', icon: FlaskConical, says: 'researchSays' },
  { mode: 2, word: 'nsfw', icon: TriangleAlert, says: 'nsfwSays' },
] as const

/** How pictures are checked: three stops. Going up asks once. */
export function ModeSlider() {
  const { mode, limit, who } = useMode()
  const { mode: words } = useWords()
  const [asked, ask] = useState<Mode | null>(null)
  const dialog = useRef<HTMLDialogElement>(null)
  const choose = (stop: Mode) => {
    if (stop <= mode) return setMode(stop)
    ask(stop)
    dialog.current?.showModal()
  }
  const wanted = STOPS[asked ?? mode]
  return (
    <>
      <div role="radiogroup" aria-label={words.label} className={style.slider} data-mode={mode}>
        {STOPS.map(({ mode: stop, word, icon: Icon, says }) => (
          <label
            key={stop}
            className={style.stop}
            title={stop > limit ? words.limited(who || 'mode_limit') : words[says]}
            data-mode={stop}
          >
            <input
              type="radio"
              name="mode"
              checked={mode === stop}
              disabled={stop > limit}
              onChange={() => choose(stop)}
            />
            <Icon size={14} aria-hidden="true" />
            <span>{words[word]}</span>
          </label>
        ))}
      </div>
      <dialog ref={dialog} className={style.ask} aria-labelledby="mode-question">
        <form method="dialog">
          <h2 id="mode-question">{words.question(words[wanted.word])}</h2>
          <p>
            {words[wanted.says]} {words.counts}
          </p>
          <div className="spread">
            <button type="submit" className="button main" onClick={() => asked !== null && setMode(asked)}>
              {words.goUp}
            </button>
            <button type="submit" className="button">
              {words.stay(words[STOPS[mode].word])}
            </button>
          </div>
        </form>
      </dialog>
    </>
  )
}
