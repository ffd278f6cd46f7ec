import { Grid3x3, X } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { create } from 'zustand'
import { ask, Refused } from '../api/client'
import type { SweepRequest, SweepView } from '../api/types'
import { useMode } from '../common/mode'
import { useModels } from '../common/models'
import { usePalette } from '../common/palette'
import { useRuns } from '../common/runs'
import { seconds, useTypical } from '../common/typical'
import { useWords, words } from '../common/words'
import { IconButton } from '../widgets/IconButton'
import {
  begin,
  type Choice,
  keyOf,
  labelled,
  MOST,
  menuOf,
  type Place,
  places,
  valuesOf,
} from './model/sweep'
import style from './Sweep.module.css'
import { currentDocument, dirty, useGraph } from './store'

const useSweep = create<{ open: boolean; first: string }>(() => ({ open: false, first: '' }))

/** Ask what is to be compared; `first` is an input that is chosen already. */
export function askSweep(first?: { group: string; to: string }): void {
  useSweep.setState({ open: true, first: first ? keyOf(first) : '' })
}

/** Choose one or two inputs and their values, see how many runs that makes, and start them. */
export function Sweep() {
  const { open, first } = useSweep()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (open) {
      dialog.current?.showModal()
      dialog.current?.querySelector('select')?.focus()
    } else dialog.current?.close()
  }, [open])
  const close = () => useSweep.setState({ open: false })
  return (
    <dialog ref={dialog} className={style.dialog} aria-labelledby="sweep" onClose={close}>
      {open && <Form key={first} first={first} close={close} />}
    </dialog>
  )
}

function Form({ first, close }: { first: string; close: () => void }) {
  const { sweep: words, app } = useWords()
  const document = useGraph((state) => state.history.document)
  const nodes = usePalette((state) => state.nodes)
  const all = useMemo(() => places(document, nodes), [document, nodes])
  const [, go] = useLocation()
  const [axes, setAxes] = useState<(Choice | null)[]>(() => {
    const place = all.find((one) => keyOf(one) === first) ?? all.find((one) => one.kind === 'seed') ?? all[0]
    return [place ? begin(place) : null, null]
  })
  const [problem, setProblem] = useState<Refused | null>(null)
  const [busy, setBusy] = useState(false)
  const one = useOne()
  const chosen = axes.flatMap((choice) => {
    const place = choice && all.find((each) => keyOf(each) === choice.place)
    return place ? [{ place, values: valuesOf(choice, place) }] : []
  })
  const count = chosen.reduce((product, { values }) => product * values.length, chosen.length > 0 ? 1 : 0)
  const set = (at: number, choice: Choice | null) => {
    setProblem(null)
    setAxes((now) => now.map((each, index) => (index === at ? choice : each)))
  }
  const start = async () => {
    setBusy(true)
    try {
      const { id } = await ask<SweepView>('/api/sweeps', { method: 'POST', body: request(chosen) })
      close()
      go(`/comparisons/${id}`)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      setProblem(error)
    }
    setBusy(false)
  }
  return (
    <form
      className={style.form}
      onSubmit={(event) => {
        event.preventDefault()
        void start()
      }}
    >
      <header className="spread">
        <h2 id="sweep" className="grow">
          {words.title}
        </h2>
        <IconButton label={app.close} icon={X} size={18} onClick={close} />
      </header>
      <p className="muted small">{words.says}</p>
      {all.length === 0 && <p>{words.nothing}</p>}
      <div className={style.axes}>
        {axes.map((choice, at) => (
          <Axis
            // biome-ignore lint/suspicious/noArrayIndexKey: there are two, and they keep their places
            key={at}
            name={at === 0 ? words.across : words.down}
            choice={choice}
            all={all.filter((place) => keyOf(place) !== axes[1 - at]?.place)}
            optional={at > 0}
            set={(next) => set(at, next)}
          />
        ))}
      </div>
      {problem && (
        <div role="alert" className="problem small">
          {problem.message}
        </div>
      )}
      <footer className="spread">
        <p role="status" className="grow small">
          <strong>{amount(chosen.map(({ values }) => values.length))}</strong>
          <span className="muted">
            {count > MOST
              ? ` · ${words.most(MOST)}`
              : count > 0 &&
                (one === null ? ` · ${words.unknown}` : ` · ${words.about(seconds(one * count))}`)}
          </span>
        </p>
        <button type="submit" className="button main" disabled={busy || count === 0 || count > MOST}>
          <Grid3x3 size={16} aria-hidden="true" /> {busy ? words.starting : words.start}
        </button>
      </footer>
    </form>
  )
}

function request(chosen: { place: Place; values: unknown[] }[]): SweepRequest {
  const state = useGraph.getState()
  const axes = chosen.map(({ place: { group, to, title }, values }) => ({ to, group, title, values }))
  return {
    workflow: state.name && !dirty(state) ? state.name : { ...currentDocument() },
    axes: axes as SweepRequest['axes'], // one or two, as the form has no more
    mode: useMode.getState().mode,
  }
}

function amount(sides: number[]): string {
  const count = sides.reduce((product, side) => product * side, sides.length > 0 ? 1 : 0)
  const { sweep } = words()
  if (sides.length > 1) return sweep.product(sides.join(' × '), count)
  return count === 1 ? sweep.one : sweep.runs(count)
}

/** How long one run takes here: the last one of this window, or the usual time of the workflow. */
function useOne(): number | null {
  const { name, run } = useGraph()
  const typical = useTypical(name)
  const last = useRuns((state) => (run ? state.runs[run] : undefined))
  const took = last?.state === 'done' && last.started && last.finished ? last.finished - last.started : null
  return name && typical !== null ? typical : took
}

interface AxisProps {
  name: string
  choice: Choice | null
  all: Place[]
  optional: boolean
  set: (choice: Choice | null) => void
}

function Axis({ name, choice, all, optional, set }: AxisProps) {
  const { sweep: words } = useWords()
  const place = all.find((one) => keyOf(one) === choice?.place)
  const steps = [...new Set(all.map(({ group, step }) => `${group}/${step}`))]
  return (
    <fieldset className={style.axis}>
      <legend className="small muted">{name}</legend>
      <select
        className="field"
        aria-label={words.which(name)}
        value={choice?.place ?? ''}
        onChange={({ target }) => {
          const next = all.find((one) => keyOf(one) === target.value)
          set(next ? begin(next) : null)
        }}
      >
        {(optional || !choice) && <option value="">{optional ? words.none : words.choose}</option>}
        {steps.map((step) => (
          <optgroup key={step} label={step.replace(/^\//, '').replace('/', ' › ')}>
            {all
              .filter((one) => `${one.group}/${one.step}` === step)
              .map((one) => (
                <option key={keyOf(one)} value={keyOf(one)}>
                  {one.title}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
      {choice && place && <Values name={name} choice={choice} place={place} set={set} />}
    </fieldset>
  )
}

interface ValuesProps {
  name: string
  choice: Choice
  place: Place
  set: (choice: Choice) => void
}

function Values({ name, choice, place, set }: ValuesProps) {
  const { sweep: words } = useWords()
  const values = valuesOf(choice, place)
  const shown = place.kind === 'number' || place.kind === 'seed'
  return (
    <>
      {shown && <Numbers name={name} choice={choice} place={place} set={set} />}
      {place.kind === 'text' && (
        <textarea
          className={`field ${style.lines}`}
          rows={4}
          aria-label={words.lines(name)}
          placeholder={words.linesSay}
          value={choice.text}
          onChange={({ target }) => set({ ...choice, text: target.value })}
        />
      )}
      {place.kind === 'menu' && <Picks choice={choice} all={menuOf(place.port)} set={set} />}
      {place.kind === 'toggle' && <Picks choice={choice} all={[false, true]} set={set} />}
      {place.kind === 'model' && <Models choice={choice} place={place} set={set} />}
      {shown && (
        <p className={`small muted ${style.values}`}>
          {values.length > 0 ? values.map((value) => labelled(value)).join(' · ') : words.noValue}
        </p>
      )}
    </>
  )
}

function Numbers({ name, choice, place, set }: ValuesProps) {
  const { sweep: words } = useWords()
  const seed = place.kind === 'seed'
  const field = (what: 'from' | 'to' | 'count') => (
    <label>
      <span className="small muted">{words[what]}</span>
      <input
        className="field"
        type="number"
        step="any"
        aria-label={words[`${what}Of`](name)}
        value={Number.isNaN(choice[what]) ? '' : choice[what]}
        onChange={({ target }) => set({ ...choice, [what]: target.valueAsNumber })}
      />
    </label>
  )
  return (
    <>
      <div className={style.ways}>
        {(['range', 'list'] as const).map((how) => (
          <label key={how} className="small">
            <input
              type="radio"
              name={`${name} how`}
              checked={choice.how === how}
              onChange={() =>
                set({ ...choice, how, text: how === 'list' ? valuesOf(choice, place).join(', ') : '' })
              }
            />{' '}
            {how === 'list' ? words.these : seed ? words.after : words.range}
          </label>
        ))}
      </div>
      {choice.how === 'range' ? (
        <div className={style.range}>
          {field('from')}
          {!seed && field('to')}
          {field('count')}
        </div>
      ) : (
        <input
          className="field"
          aria-label={words.values(name)}
          placeholder="5, 10, 20"
          value={choice.text}
          onChange={({ target }) => set({ ...choice, text: target.value })}
        />
      )}
    </>
  )
}

function Picks({
  choice,
  all,
  set,
}: {
  choice: Choice
  all: readonly Choice['chosen'][number][]
  set: (choice: Choice) => void
}) {
  return (
    <div className={style.picks}>
      {all.map((one) => (
        <label key={String(one)} className="small">
          <input
            type="checkbox"
            checked={choice.chosen.includes(one)}
            onChange={({ target }) =>
              set({
                ...choice,
                chosen: target.checked
                  ? [...choice.chosen, one]
                  : choice.chosen.filter((each) => each !== one),
              })
            }
          />{' '}
          {labelled(one)}
        </label>
      ))}
    </div>
  )
}

function Models({ choice, place, set }: Omit<ValuesProps, 'name'>) {
  const kind = typeof place.schema['x-kind'] === 'string' ? place.schema['x-kind'] : ''
  const models = useModels(kind)
  const { sweep: words } = useWords()
  const names = [...new Set([...models.map((one) => one.name), ...choice.chosen.map(String)])]
  if (names.length === 0) return <p className="small muted">{words.noModel}</p>
  return <Picks choice={choice} all={names} set={set} />
}
