import { Grid3x3, Search, Star, Trash2, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Link, useSearchParams } from 'wouter'
import type { Counted } from '../api/types'
import { useMode } from '../common/mode'
import { useWords, words } from '../common/words'
import { SearchField } from '../widgets/SearchField'
import style from './Gallery.module.css'
import { emptyTrash, useGallery } from './store'

const MODES = ['safe', 'research', 'nsfw'] as const
const TIMES = [
  ['', 'anyTime'],
  ['1', 'today'],
  ['7', 'week'],
  ['30', 'month'],
  ['365', 'year'],
  ['between', 'between'],
] as const
const DAY = 86400
const PAUSE = 200 // milliseconds without a key, after which one means what is written

/** What the address says, as the server takes it. */
export function asked(params: URLSearchParams, mode: number): string {
  const query = new URLSearchParams({ mode: `${mode}` })
  for (const name of ['text', 'model', 'workflow', 'tag', 'made_in', 'starred', 'trash']) {
    const value = params.get(name)
    if (value) query.set(name, value)
  }
  const time = params.get('time')
  if (time === 'between') {
    const [from, to] = [midnight(params.get('from')), midnight(params.get('to'))]
    if (from !== null) query.set('since', `${from}`)
    if (to !== null) query.set('until', `${to + DAY}`)
  } else if (time) {
    const today = new Date()
    today.setHours(0, 0, 0, 0)
    query.set('since', `${today.getTime() / 1000 - (Number(time) - 1) * DAY}`)
  }
  return query.toString()
}

function midnight(day: string | null): number | null {
  const time = day ? new Date(`${day}T00:00`).getTime() : Number.NaN
  return Number.isNaN(time) ? null : time / 1000
}

/** By what the gallery is narrowed down. It stands in the address, so that a link shows the same. */
export function Filters() {
  const [params, setParams] = useSearchParams()
  const { filters, total, hidden, loading } = useGallery()
  const { filters: words, mode: modes, comparison } = useWords()
  const mode = useMode((state) => state.mode)
  const set = (name: string, value: string) =>
    setParams(
      (now) => {
        const next = new URLSearchParams(now)
        if (value) next.set(name, value)
        else next.delete(name)
        if (name === 'time' && value !== 'between') for (const day of ['from', 'to']) next.delete(day)
        return next
      },
      { replace: true },
    )
  const trash = params.has('trash')
  const narrowed = [...params.keys()].some((name) => name !== 'trash')
  const menu = (name: 'model' | 'workflow' | 'tag', all: string, found: Counted[]) => (
    <Choice name={words.by[name]} value={params.get(name) ?? ''} choose={(value) => set(name, value)}>
      <option value="">{all}</option>
      {missing(found, params.get(name)).map((one) => (
        <option key={one.name} value={one.name}>
          {one.name}
          {one.count > 0 ? ` (${one.count})` : ''}
        </option>
      ))}
    </Choice>
  )
  return (
    <search className={style.filters}>
      <Words value={params.get('text') ?? ''} give={(text) => set('text', text)} />
      {menu('model', words.anyModel, filters.models)}
      {menu('workflow', words.anyWorkflow, filters.workflows)}
      {(filters.tags.length > 0 || params.has('tag')) && menu('tag', words.anyTag, filters.tags)}
      <Choice name={words.by.time} value={params.get('time') ?? ''} choose={(value) => set('time', value)}>
        {TIMES.map(([value, word]) => (
          <option key={value} value={value}>
            {words[word]}
          </option>
        ))}
      </Choice>
      {params.get('time') === 'between' && (
        <span className={style.days}>
          {(['from', 'to'] as const).map((name) => (
            <input
              key={name}
              type="date"
              className="field"
              aria-label={words[name]}
              value={params.get(name) ?? ''}
              onChange={(event) => set(name, event.target.value)}
            />
          ))}
        </span>
      )}
      {mode > 0 && (
        <Choice
          name={words.by.mode}
          value={params.get('made_in') ?? ''}
          choose={(value) => set('made_in', value)}
        >
          <option value="">{words.anyMode}</option>
          {MODES.slice(0, mode + 1).map((word, index) => (
            <option key={word} value={index}>
              {modes[word]}
            </option>
          ))}
        </Choice>
      )}
      <button
        type="button"
        className={`button ${style.toggle}`}
        aria-pressed={params.has('starred')}
        onClick={() => set('starred', params.has('starred') ? '' : 'true')}
      >
        <Star size={15} aria-hidden="true" /> {words.starred}
      </button>
      {narrowed && (
        <button
          type="button"
          className="button plain"
          onClick={() => setParams(trash ? { trash: 'true' } : {}, { replace: true })}
        >
          <X size={15} aria-hidden="true" /> {words.clear}
        </button>
      )}
      <span className={style.count} role="status">
        {loading ? '' : counted(total, hidden, modes[MODES[mode] ?? 'safe'])}
      </span>
      {trash && total > 0 && (
        <button type="button" className="button" onClick={() => void emptyTrash()}>
          {words.empty}
        </button>
      )}
      <Link className="button" href="/comparisons">
        <Grid3x3 size={15} aria-hidden="true" /> {comparison.all}
      </Link>
      {(filters.trash > 0 || trash) && (
        <button
          type="button"
          className={`button ${style.toggle}`}
          aria-pressed={trash}
          onClick={() => setParams(trash ? {} : { trash: 'true' })}
        >
          <Trash2 size={15} aria-hidden="true" /> {words.trash}
          {filters.trash > 0 ? ` (${filters.trash})` : ''}
        </button>
      )}
    </search>
  )
}

function counted(total: number, hidden: number, word: string): string {
  const { filters, app } = words()
  const there = total === 1 ? filters.one : filters.some(total.toLocaleString(app.language))
  return hidden > 0 ? filters.above(there, hidden.toLocaleString(app.language), word) : there
}

/** What is chosen stays to be seen, also when nothing has it any more. */
function missing(found: Counted[], chosen: string | null): Counted[] {
  return !chosen || found.some((one) => one.name === chosen) ? found : [{ name: chosen, count: 0 }, ...found]
}

interface ChoiceProps {
  name: string
  value: string
  choose: (value: string) => void
  children: React.ReactNode
}

function Choice({ name, value, choose, children }: ChoiceProps) {
  return (
    <select
      className={`field ${style.choice}`}
      data-set={value !== ''}
      aria-label={name}
      value={value}
      onChange={(event) => choose(event.target.value)}
    >
      {children}
    </select>
  )
}

function Words({ value, give }: { value: string; give: (text: string) => void }) {
  const { filters: words } = useWords()
  const [text, type] = useState(value)
  useEffect(() => type(value), [value])
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what is typed starts the wait
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => give(text), PAUSE)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <div className={style.words}>
      <Search size={15} aria-hidden="true" />
      <SearchField label={words.search} says={words.searchSays} text={text} type={type} />
    </div>
  )
}
