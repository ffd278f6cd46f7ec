import {
  CircleCheck,
  CircleSlash,
  CircleX,
  GripVertical,
  Pause,
  Play,
  RotateCcw,
  Workflow,
  X,
} from 'lucide-react'
import { type PointerEvent, useMemo, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { Refused, url } from '../api/client'
import { filesOf } from '../common/files'
import { sentenceOf } from '../common/problem'
import { about, cancel, type Known, move, steer, useRuns } from '../common/runs'
import { ago, seconds } from '../common/typical'
import { useWords } from '../common/words'
import { showRun } from '../graph/tabs'
import { moved, parts, placed } from './order'
import style from './Queue.module.css'

/** What runs, what waits for its turn, and what came of the rest. */
export function Queue() {
  const { runs, order, loaded } = useRuns()
  const { queue: words } = useWords()
  const { running, pending, finished } = useMemo(
    () => parts(order.map((id) => runs[id]).filter((run) => run !== undefined)),
    [runs, order],
  )
  const [problem, tell] = useState('')
  const [shown, show] = useState(50)
  const tried = (what: Promise<unknown>) => {
    tell('')
    what.catch((error) => {
      if (!(error instanceof Refused)) throw error
      tell(error.message)
    })
  }
  const nothing = loaded && order.length === 0
  return (
    <main className={style.page}>
      <div className={style.column}>
        <h1>{words.title}</h1>
        {problem && (
          <p role="alert" className="problem">
            {problem}
          </p>
        )}
        {nothing && (
          <p className="muted">
            {words.nothing} <Link href="/">{words.make}</Link>
            {words.or} <Link href="/graph">{words.draw}</Link> {words.andRun}
          </p>
        )}
        {!nothing && (
          <section aria-labelledby="running">
            <h2 id="running">{words.running}</h2>
            {running.length === 0 && <p className="muted">{words.nothingRuns}</p>}
            <ul className={style.rows}>
              {running.map((run) => (
                <Running key={run.id} run={run} tried={tried} />
              ))}
            </ul>
          </section>
        )}
        {pending.length > 0 && <Pending pending={pending} tried={tried} />}
        {finished.length > 0 && (
          <section aria-labelledby="finished">
            <h2 id="finished">{words.finished}</h2>
            <ul className={style.rows}>
              {finished.slice(0, shown).map((run) => (
                <Finished key={run.id} run={run} tried={tried} />
              ))}
            </ul>
            {finished.length > shown && (
              <button type="button" className="button" onClick={() => show(shown + 50)}>
                {words.more}
              </button>
            )}
          </section>
        )}
      </div>
    </main>
  )
}

interface Row {
  run: Known
  tried: (what: Promise<unknown>) => void
}

function Running({ run, tried }: Row) {
  const preview = useRuns((state) => state.previews[run.id])
  const { queue: words } = useWords()
  const steps = Object.entries(run.steps ?? {})
  const done = steps.filter(([, step]) => step.state === 'done' || step.state === 'skipped').length
  const now = steps.filter(([, step]) => step.state === 'running' || step.state === 'asking').at(-1)?.[0]
  const way = now === undefined ? undefined : (run.under_way?.[now] ?? run.steps?.[now]?.progress)
  return (
    <li className={style.row} aria-label={about(run)}>
      <span className={style.picture}>{preview && <img src={preview.url} alt={words.making} />}</span>
      <div className={style.words}>
        <Title run={run} />
        <p className="small muted">
          {run.state === 'waiting'
            ? words.asks
            : now
              ? `${now}${way === undefined ? '' : ` · ${Math.round(100 * way)} %`}`
              : words.begins}
          {steps.length > 0 && ` · ${words.steps(done, steps.length)}`}
        </p>
        <progress className={style.progress} value={run.progress} aria-label={words.how(about(run))} />
      </div>
      <span className={style.number}>{Math.round(100 * run.progress)} %</span>
      <div className={style.buttons}>
        <Open run={run} step={now ?? null} tried={tried} />
        <Cancel run={run} tried={tried} />
      </div>
    </li>
  )
}

function Pending({ pending, tried }: { pending: Known[]; tried: Row['tried'] }) {
  const { queue: words } = useWords()
  const list = useRef<HTMLOListElement>(null)
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null)
  const [said, say] = useState('')
  const ids = pending.map((run) => run.id)
  const row = drag ? moved(pending, drag.from, drag.to) : pending
  const put = (id: string, place: number) => {
    const asked = placed(ids, id, place)
    if (!asked) return
    const to = Math.max(0, Math.min(place, ids.length - 1))
    say(words.movedTo(to + 1, ids.length))
    tried(
      move(id, asked).then(() =>
        list.current?.querySelector<HTMLElement>(`[data-grip="${id}"]`)?.focus({ preventScroll: true }),
      ),
    )
  }
  const over = (event: PointerEvent): number => {
    const rows = [...(list.current?.children ?? [])]
    const at = rows.findIndex((one) => event.clientY < one.getBoundingClientRect().bottom)
    return at < 0 ? rows.length - 1 : at
  }
  return (
    <section aria-labelledby="pending">
      <h2 id="pending">{words.waits}</h2>
      <p role="status" className="hidden">
        {said}
      </p>
      <ol ref={list} className={style.rows}>
        {row.map((run, place) => (
          <li
            key={run.id}
            className={style.row}
            aria-label={about(run)}
            data-dragged={drag !== null && ids[drag.from] === run.id}
            data-held={run.state === 'held'}
          >
            <button
              type="button"
              className={style.grip}
              data-grip={run.id}
              aria-label={words.move(about(run), place + 1, ids.length)}
              aria-keyshortcuts="ArrowUp ArrowDown Home End"
              title={words.moveSays}
              onKeyDown={(event) => {
                const to = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: ids.length - 1 }[
                  event.key
                ]
                if (to === undefined) return
                event.preventDefault()
                if (to >= 0) put(run.id, to)
              }}
              onPointerDown={(event) => {
                event.currentTarget.setPointerCapture(event.pointerId)
                setDrag({ from: ids.indexOf(run.id), to: ids.indexOf(run.id) })
              }}
              onPointerMove={(event) => drag && setDrag({ ...drag, to: over(event) })}
              onPointerUp={() => {
                if (drag) put(ids[drag.from] ?? '', drag.to)
                setDrag(null)
              }}
              onPointerCancel={() => setDrag(null)}
            >
              <GripVertical size={16} aria-hidden="true" />
            </button>
            <span className={style.number}>{place + 1}</span>
            <div className={style.words}>
              <Title run={run} />
              <p className="small muted">
                {run.state === 'held' ? words.held : place === 0 ? words.next : words.waits}
                {` · ${words.askedFor(ago(run.created))}`}
                {run.priority !== 0 && ` · ${words.priority(run.priority)}`}
              </p>
            </div>
            <div className={style.buttons}>
              <Hold run={run} tried={tried} />
              <Cancel run={run} tried={tried} />
            </div>
          </li>
        ))}
      </ol>
    </section>
  )
}

const ENDS = {
  done: CircleCheck,
  failed: CircleX,
  cancelled: CircleSlash,
}

function Finished({ run, tried }: Row) {
  const { queue: words } = useWords()
  const end = run.state as keyof typeof ENDS
  const Icon = ENDS[end]
  const picture = filesOf(run.outputs).find((file) => file.mime.startsWith('image/'))
  const took = run.started && run.finished ? seconds(run.finished - run.started) : ''
  return (
    <li className={style.row} aria-label={about(run)} data-state={run.state}>
      <span className={style.picture}>
        {picture ? (
          <img src={url(`${picture.url}?size=256`)} alt={words.made} loading="lazy" />
        ) : (
          <Icon size={20} aria-hidden="true" />
        )}
      </span>
      <div className={style.words}>
        <Title run={run} />
        <p className="small muted">
          <Icon size={13} className={style.sign} aria-hidden="true" />{' '}
          {end === 'done' && took ? words.doneIn(took) : words[end]} · {ago(run.finished ?? run.created)}
        </p>
        {run.error && <p className={style.why}>{sentenceOf(run.error)}</p>}
      </div>
      <div className={style.buttons}>
        <Open run={run} step={run.error?.step ?? null} tried={tried} />
        {run.state !== 'done' && (
          <button
            type="button"
            className="button"
            aria-label={words.retryOf(about(run))}
            onClick={() => tried(steer(run.id, 'retry'))}
          >
            <RotateCcw size={14} aria-hidden="true" /> {words.retry}
          </button>
        )}
      </div>
    </li>
  )
}

function Title({ run }: { run: Known }) {
  const { queue: words } = useWords()
  const what = about(run)
  return (
    <p className={style.title}>
      <strong>{what || words.untitled}</strong>
      {run.title && run.title !== what && <span className="small muted">{run.title}</span>}
    </p>
  )
}

function Open({ run, step, tried }: Row & { step: string | null }) {
  const [, go] = useLocation()
  const { queue: words } = useWords()
  const does = run.state === 'failed' && step ? words.openAt : words.open
  return (
    <button
      type="button"
      className="button"
      aria-label={`${does}: ${about(run)}`}
      onClick={() => tried(showRun(run.id, step).then(() => go('/graph')))}
    >
      <Workflow size={14} aria-hidden="true" /> {does}
    </button>
  )
}

/** Lets a job wait, or go again. */
function Hold({ run, tried }: Row) {
  const { queue: words } = useWords()
  const held = run.state === 'held'
  return (
    <button
      type="button"
      className="button"
      aria-label={held ? words.releaseOf(about(run)) : words.holdOf(about(run))}
      onClick={() => tried(steer(run.id, held ? 'release' : 'hold'))}
    >
      {held ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}{' '}
      {held ? words.release : words.hold}
    </button>
  )
}

function Cancel({ run, tried }: Row) {
  const { queue: words } = useWords()
  return (
    <button
      type="button"
      className="button"
      aria-label={words.cancelOf(about(run))}
      onClick={() => tried(cancel(run.id))}
    >
      <X size={14} aria-hidden="true" /> {words.cancel}
    </button>
  )
}
