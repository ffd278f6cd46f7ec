import { useId } from 'react'
import { useWords } from '../common/words'
import { Keys } from './Keys'
import style from './Settings.module.css'
import { type Settings as Chosen, choose, GRIDS, LINKS, PREVIEWS, THEMES, useSettings } from './settings'

const TONGUES: Record<Chosen['language'], string> = { en: 'English', de: 'Deutsch' }

/** How the app looks, speaks and answers to keys in this browser. */
export function Settings() {
  const settings = useSettings()
  const { settings: words } = useWords()
  return (
    <main className={style.page}>
      <div className={style.middle}>
        <header>
          <h1>{words.title}</h1>
          <p className="muted">{words.kept}</p>
        </header>
        <section className={style.part} aria-labelledby="settings-look">
          <h2 id="settings-look">{words.look}</h2>
          <Choice
            title={words.theme}
            says={words.motion}
            options={{ dark: words.dark, light: words.light, system: words.system }}
            among={THEMES}
            value={settings.theme}
            choose={(theme) => choose({ theme })}
          />
          <Choice
            title={words.language}
            says={words.languageSays}
            options={TONGUES}
            among={['en', 'de']}
            value={settings.language}
            choose={(language) => choose({ language })}
          />
          <Choice
            title={words.previews}
            says={words.previewsSays}
            options={{ all: words.previewsAll, few: words.previewsFew, off: words.previewsOff }}
            among={PREVIEWS}
            value={settings.previews}
            choose={(previews) => choose({ previews })}
          />
        </section>
        <section className={style.part} aria-labelledby="settings-canvas">
          <h2 id="settings-canvas">{words.canvas}</h2>
          <Choice
            title={words.links}
            options={{ spline: words.spline, straight: words.straight, step: words.step }}
            among={LINKS}
            value={settings.links}
            choose={(links) => choose({ links })}
          />
          <label className={style.row}>
            <span>{words.snap}</span>
            <input
              type="checkbox"
              className={style.check}
              checked={settings.snap}
              onChange={(event) => choose({ snap: event.target.checked })}
            />
          </label>
          <label className={style.row}>
            <span>{words.grid}</span>
            <input
              type="number"
              className={`field ${style.number}`}
              min={GRIDS.least}
              max={GRIDS.most}
              disabled={!settings.snap}
              defaultValue={settings.grid}
              onChange={({ target }) =>
                target.validity.valid && target.value && choose({ grid: target.valueAsNumber })
              }
            />
          </label>
        </section>
        <Keys />
      </div>
    </main>
  )
}

interface ChoiceProps<T extends string> {
  title: string
  says?: string
  options: Record<T, string>
  among: readonly T[]
  value: T
  choose: (value: T) => void
}

/** One of a few, all of them in sight. */
export function Choice<T extends string>({ title, says, options, among, value, choose }: ChoiceProps<T>) {
  const id = useId()
  return (
    <div className={style.row}>
      <div>
        <span id={id}>{title}</span>
        {says && (
          <p id={`${id}-says`} className="muted small">
            {says}
          </p>
        )}
      </div>
      <div
        role="radiogroup"
        aria-labelledby={id}
        aria-describedby={says && `${id}-says`}
        className={style.choice}
      >
        {among.map((one) => (
          <label key={one} className={style.option}>
            <input type="radio" name={id} checked={value === one} onChange={() => choose(one)} />
            <span>{options[one]}</span>
          </label>
        ))}
      </div>
    </div>
  )
}
