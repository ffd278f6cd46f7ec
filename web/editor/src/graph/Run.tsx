import { ChevronDown, Play, Square, TriangleAlert } from 'lucide-react'
import { useRef } from 'react'
import { PHONE, useMedia } from '../common/media'
import { cancel, over, useRuns } from '../common/runs'
import { useWords } from '../common/words'
import { keysFor, say } from './actions'
import bar from './Graph.module.css'
import type { After } from './model/seeds'
import style from './Run.module.css'
import { useWaiting } from './reports'
import { runNow, setOptions, useOptions } from './running'
import { askSweep } from './Sweep'
import { useGraph } from './store'
import { point } from './tabs'
import { useFailed } from './trouble'

const MOST = 64
const AFTERS: readonly After[] = ['keep', 'step', 'random']

/** Run, how often, and how. */
export function Run() {
  const { count, after, continuous } = useOptions()
  const { running: words, sweep } = useWords()
  const run = useGraph((state) => state.run)
  const chosen = useGraph((state) => state.selected)
  const known = useRuns((state) => (run ? state.runs[run] : undefined))
  const place = useWaiting()
  const failed = useFailed()
  const phone = useMedia(PHONE)
  const menu = useRef<HTMLDetailsElement>(null)
  const go = (how: Parameters<typeof runNow>[0]) => {
    if (menu.current) menu.current.open = false
    void runNow(how).catch(say)
  }
  const how = place ?? `${Math.round(100 * (known?.progress ?? 0))} %`
  const times = (
    <label className={style.count} title={words.countSays}>
      <span aria-hidden="true">×</span>
      <input
        type="number"
        className="field"
        aria-label={words.count}
        min={1}
        max={MOST}
        value={count}
        onChange={(event) =>
          setOptions({ count: Math.max(1, Math.min(MOST, Math.round(Number(event.target.value)) || 1)) })
        }
      />
    </label>
  )
  return (
    <>
      {known && !over(known) && (
        <button
          type="button"
          className="button"
          aria-label={words.stop(how)}
          onClick={() => void cancel(known.id).catch(say)}
        >
          <Square size={14} aria-hidden="true" /> {phone ? how : words.stop(how)}
        </button>
      )}
      {failed && (
        <button
          type="button"
          className={`button plain ${style.failed}`}
          title={words.lookAtFailed}
          onClick={() => point(failed)}
        >
          <TriangleAlert size={16} aria-hidden="true" />
          <span className={bar.words}>{words.failedAt(failed.slice(failed.lastIndexOf('/') + 1))}</span>
        </button>
      )}
      {!phone && times}
      <div className={style.split}>
        <button type="button" className="button main" onClick={() => go({})} title={keysFor('run')}>
          <Play size={16} aria-hidden="true" /> {continuous ? words.byItself : words.run}
        </button>
        <details
          ref={menu}
          className={style.menu}
          onBlur={(event) => {
            if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return
            event.stopPropagation()
            event.currentTarget.open = false
            event.currentTarget.querySelector('summary')?.focus()
          }}
        >
          <summary className="button main" aria-label={words.ways} title={words.ways}>
            <ChevronDown size={16} aria-hidden="true" />
          </summary>
          <div className={style.panel} tabIndex={-1}>
            <button
              type="button"
              className="button"
              title={keysFor('run-first')}
              onClick={() => go({ first: true })}
            >
              {words.first}
            </button>
            <button
              type="button"
              className="button"
              title={keysFor('run-to')}
              disabled={chosen.length === 0}
              onClick={() => go({ targets: [...chosen] })}
            >
              {words.to}
            </button>
            <button
              type="button"
              className="button"
              title={keysFor('sweep')}
              onClick={() => {
                if (menu.current) menu.current.open = false
                askSweep()
              }}
            >
              {sweep.open}
            </button>
            {phone && times}
            <fieldset>
              <legend className="small muted">{words.seed}</legend>
              <div className={style.choices}>
                {AFTERS.map((value) => (
                  <label key={value}>
                    <input
                      type="radio"
                      name="after"
                      checked={after === value}
                      onChange={() => setOptions({ after: value })}
                    />{' '}
                    {words[value]}
                  </label>
                ))}
              </div>
            </fieldset>
            <label>
              <input
                type="checkbox"
                checked={continuous}
                onChange={(event) => setOptions({ continuous: event.target.checked })}
              />{' '}
              {words.continuous}
            </label>
          </div>
        </details>
      </div>
    </>
  )
}
