import { Fragment, useState } from 'react'
import { ALL } from '../app/all'
import { type Action, chord, type Page } from '../common/actions'
import { useWords } from '../common/words'
import { SearchField } from '../widgets/SearchField'
import { bind, conflicts, holders, keysOf, parts, reserved, unbind, unfinished } from './keys'
import { Choice } from './Settings'
import style from './Settings.module.css'
import { choose, PRESETS, type Settings, useSettings } from './settings'

const PAGES: readonly Page[] = ['everywhere', 'create', 'graph', 'gallery', 'viewer', 'mask']
const NAMES: Record<Settings['preset'], string> = {
  comfy: 'ComfyUI',
  blender: 'Blender',
  nuke: 'Nuke, Houdini',
}

/** Which keys do what: a preset, and one's own where it does not suit. */
export function Keys() {
  const { settings: words, actions: titles, pages } = useWords()
  const settings = useSettings()
  const [sought, seek] = useState('')
  const [asking, ask] = useState<string | null>(null)
  const [wanted, want] = useState<string | null>(null)
  const shared = [...conflicts(ALL, settings)]
  const found = ALL.filter((action) =>
    `${titles[action.id]} ${keysOf(action, settings).map(said).join(' ')}`
      .toLowerCase()
      .includes(sought.trim().toLowerCase()),
  )
  const stop = () => {
    ask(null)
    want(null)
  }
  const pressed = (action: Action, keys: string) => {
    const free = !reserved(keys) && holders(ALL, settings, keys, action.id).length === 0
    if (!free) return want(keys)
    choose({ keys: bind(ALL, settings, action.id, keys) })
    stop()
  }
  return (
    <section className={style.part} aria-labelledby="settings-keys">
      <h2 id="settings-keys">{words.keys}</h2>
      <Choice
        title={words.preset}
        options={NAMES}
        among={PRESETS}
        value={settings.preset}
        choose={(preset) => choose({ preset })}
      />
      <div className="spread">
        <SearchField label={words.find} text={sought} type={seek} className="grow" />
        <button
          type="button"
          className="button"
          disabled={Object.keys(settings.keys).length === 0}
          onClick={() => choose({ keys: {} })}
        >
          {words.resetAll}
        </button>
      </div>
      {shared.map(([keys, who]) => (
        <p key={keys} role="status" className={style.notice}>
          {words.both(said(keys), who.map(({ id }) => titles[id]).join(', '))}
        </p>
      ))}
      {found.length === 0 && <p className="muted">{words.noAction}</p>}
      {PAGES.map((page) => [page, found.filter((one) => one.page === page)] as const).map(
        ([page, some]) =>
          some.length > 0 && (
            <section key={page} aria-label={pages[page]}>
              <h3 className={style.where}>{pages[page]}</h3>
              <ul className={style.keys}>
                {some.map((action) => (
                  <li key={action.id}>
                    <div className={style.action}>
                      <span className={style.title}>{titles[action.id]}</span>
                      <Chords keys={keysOf(action, settings)} none={words.none} />
                      <span className={style.edit}>
                        {settings.keys[action.id] && (
                          <button
                            type="button"
                            className="button plain"
                            aria-label={words.resetOf(titles[action.id])}
                            onClick={() => choose({ keys: unbind(settings.keys, action.id) })}
                          >
                            {words.reset}
                          </button>
                        )}
                        <button
                          type="button"
                          className="button"
                          aria-label={words.changeOf(titles[action.id])}
                          aria-pressed={asking === action.id}
                          onClick={() => {
                            want(null)
                            ask(asking === action.id ? null : action.id)
                          }}
                          onBlur={() => wanted === null && stop()}
                          onKeyDown={(event) => {
                            if (asking !== action.id || unfinished(event.key)) return
                            if (event.key === 'Tab') return stop()
                            event.preventDefault()
                            if (event.key === 'Escape') return stop()
                            pressed(action, chord(event.nativeEvent))
                          }}
                        >
                          {words.change}
                        </button>
                      </span>
                    </div>
                    {asking === action.id && (
                      <Asking
                        action={action}
                        wanted={wanted}
                        settings={settings}
                        take={() => {
                          if (wanted) choose({ keys: bind(ALL, settings, action.id, wanted) })
                          stop()
                        }}
                        stop={stop}
                      />
                    )}
                  </li>
                ))}
              </ul>
            </section>
          ),
      )}
    </section>
  )
}

interface AskingProps {
  action: Action
  wanted: string | null
  settings: Settings
  take: () => void
  stop: () => void
}

/** What is to be pressed; or why what was pressed cannot simply be had. */
function Asking({ action, wanted, settings, take, stop }: AskingProps) {
  const { settings: words, actions: titles } = useWords()
  if (wanted === null)
    return (
      <p role="status" className={style.notice}>
        {words.press}
      </p>
    )
  if (reserved(wanted))
    return (
      <p role="alert" className={style.notice}>
        {words.reserved(said(wanted))} {words.press}
      </p>
    )
  const who = holders(ALL, settings, wanted, action.id)
  return (
    <div role="alert" className={style.notice}>
      <span>{words.taken(said(wanted), who.map(({ id }) => titles[id]).join(', '))}</span>
      <button type="button" className="button main" onClick={take}>
        {words.takeOver}
      </button>
      <button type="button" className="button" onClick={stop}>
        {words.leave}
      </button>
    </div>
  )
}

/** Keys as they are printed. */
function Chords({ keys, none }: { keys: readonly string[]; none: string }) {
  if (keys.length === 0) return <span className="muted small">{none}</span>
  return (
    <span className={style.chords}>
      {keys.map((one) => (
        <span key={one} className={style.chord}>
          {parts(one).map((part, index) => (
            <Fragment key={part}>
              {index > 0 && <span className="hidden">+</span>}
              <kbd>{part}</kbd>
            </Fragment>
          ))}
        </span>
      ))}
    </span>
  )
}

function said(keys: string): string {
  return parts(keys).join('+')
}
