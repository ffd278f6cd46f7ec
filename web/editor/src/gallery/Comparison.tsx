import { Ban, ImageDown, Trash2, Workflow } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { Link, useLocation, useParams } from 'wouter'
import { ask, Refused, url } from '../api/client'
import type { Cell, SweepView } from '../api/types'
import { useAsked } from '../common/asked'
import { useMode } from '../common/mode'
import { openWorkflow } from '../common/reuse'
import { over, start, useRuns } from '../common/runs'
import { say } from '../common/toast'
import { Viewer } from '../common/Viewer'
import { useWords, words } from '../common/words'
import { labelled } from '../graph/model/sweep'
import style from './Comparison.module.css'
import { sheetOf } from './sheet'
import { nameOf, titleOf, varied } from './words'

const PAUSE = 250 // milliseconds in which several runs may end before they are asked for

/** What one or two inputs do to a picture: a grid with their values at its edges. */
export function Comparison() {
  const { id = '' } = useParams<{ id: string }>()
  const { comparison: words } = useWords()
  const mode = useMode((state) => state.mode)
  const path = `/api/sweeps/${encodeURIComponent(id)}`
  const { value, problem, again } = useAsked<SweepView>(`${path}?mode=${mode}`)
  const [near, look] = useState<number | null>(null)
  const [, go] = useLocation()
  const shown = useRef<SweepView | null>(null)
  if (value) shown.current = value
  const sweep = value ?? (problem ? null : shown.current)
  useEnded(sweep?.runs ?? [], again)
  if (!sweep)
    return (
      <main className={style.nothing}>
        {problem && (
          <>
            <h1>{words.notSeen}</h1>
            <p className="muted">{problem}</p>
            <Link className="button" href="/comparisons">
              {words.showAll}
            </Link>
          </>
        )}
      </main>
    )
  const made = sweep.cells.flatMap((cell, at) => (cell.files[0] ? [at] : []))
  const first = sweep.cells[made[0] ?? 0]?.files[0]
  const beside = (by: number) => {
    const next = made[made.indexOf(near ?? 0) + by]
    return next === undefined ? null : () => look(next)
  }
  const forget = async () => {
    await ask(path, { method: 'DELETE' })
    say(words.gone)
    go('/comparisons')
  }
  const close = near === null ? undefined : sweep.cells[near]?.files[0]
  return (
    <main className={style.page}>
      <header className={style.head}>
        <div className={style.title}>
          <Link className={`small ${style.back}`} href="/comparisons">
            {words.toAll}
          </Link>
          <h1>{sweep.title || words.untitled}</h1>
          <p className="muted small">{varied(sweep)}</p>
        </div>
        <div className={style.tools}>
          <Left runs={sweep.runs} path={path} again={again} />
          {made.length === sweep.cells.length && <Sheet sweep={sweep} />}
          {first && (
            <button type="button" className="button" onClick={() => void openWorkflow(first.id, go)}>
              <Workflow size={16} aria-hidden="true" /> {words.openGraph}
            </button>
          )}
          <button type="button" className="button" onClick={() => void forget().catch(refused)}>
            <Trash2 size={16} aria-hidden="true" /> {words.delete}
          </button>
        </div>
      </header>
      <Grid sweep={sweep} look={look} />
      {close && near !== null && (
        <Viewer
          file={close}
          title={nameOf(sweep, near)}
          close={() => look(null)}
          before={beside(-1)}
          after={beside(1)}
        />
      )}
    </main>
  )
}

/** The table: values of the first axis across, those of the second down. */
function Grid({ sweep, look }: { sweep: SweepView; look: (at: number) => void }) {
  const [across, down] = sweep.axes
  const { comparison: words } = useWords()
  const wide = across?.values.length ?? 1
  const rows = down ? down.values : [null]
  return (
    <section className={style.scroll} aria-label={words.grid}>
      <table className={style.grid}>
        <thead>
          <tr>
            {down && (
              <th className={style.corner}>
                <span>{titleOf(across)} →</span>
                <span>{titleOf(down)} ↓</span>
              </th>
            )}
            {across?.values.map((value, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a value may stand there twice
              <th key={at} scope="col" title={labelled(value)}>
                {!down && <span className="muted">{titleOf(across)} </span>}
                {labelled(value)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((value, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a value may stand there twice
            <tr key={row}>
              {down && (
                <th scope="row" title={labelled(value)}>
                  {labelled(value)}
                </th>
              )}
              {sweep.cells.slice(row * wide, (row + 1) * wide).map((cell, column) => {
                const at = row * wide + column
                return (
                  <td key={cell.run}>
                    <One cell={cell} name={nameOf(sweep, at)} look={() => look(at)} />
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function One({ cell, name, look }: { cell: Cell; name: string; look: () => void }) {
  const run = useRuns((state) => state.runs[cell.run])
  const preview = useRuns((state) => state.previews[cell.run])
  const [file] = cell.files
  const { comparison: words } = useWords()
  if (file)
    return (
      <div className={style.cell}>
        <button type="button" className={style.picture} aria-label={name} onClick={look}>
          {file.mime.startsWith('video/') ? (
            <video src={url(file.url)} muted loop autoPlay playsInline />
          ) : (
            <img
              src={url(`${file.url}?size=512`)}
              width={file.width}
              height={file.height}
              alt=""
              loading="lazy"
              draggable={false}
            />
          )}
        </button>
        <Link
          className={`small ${style.receipt}`}
          href={`/images/${file.id}`}
          aria-label={words.detailsOf(name)}
        >
          {words.details}
        </Link>
      </div>
    )
  const state = run?.state ?? cell.state
  return (
    <div className={style.cell} data-state={state}>
      <div className={style.waits}>
        {preview ? <img src={preview.url} alt="" /> : null}
        <span className="small">{wordOf(state, run?.progress ?? 0, cell)}</span>
      </div>
    </div>
  )
}

function wordOf(state: string, progress: number, cell: Cell): string {
  const { comparison: says } = words()
  switch (state) {
    case 'running':
      return `${Math.round(100 * progress)} %`
    case 'done':
      return cell.state === 'done' ? says.noPicture : ''
    case 'failed':
      return cell.error
        ? `${cell.error.input ?? ''} ${cell.error.got ?? ''}`.trim() || says.failed
        : says.failed
    case 'cancelled':
      return says.cancelled
    case 'gone':
      return says.forgotten
    default:
      return says.waits
  }
}

/** How many runs are left, and the way to stop all of them. */
function Left({ runs, path, again }: { runs: string[]; path: string; again: () => void }) {
  const { comparison: words } = useWords()
  const left = useRuns((state) => runs.filter((id) => state.runs[id] && !over(state.runs[id])).length)
  const [busy, setBusy] = useState(false)
  if (left === 0) return null
  const stop = async () => {
    setBusy(true)
    await ask(`${path}/cancel`, { method: 'POST' }).catch(refused)
    setBusy(false)
    again()
  }
  return (
    <>
      <span role="status" className="small muted">
        {words.left(left, runs.length)}
      </span>
      <button type="button" className="button" disabled={busy} onClick={() => void stop()}>
        <Ban size={16} aria-hidden="true" /> {words.cancel}
      </button>
    </>
  )
}

/** Makes one picture of the grid, which goes into the gallery like any other. */
function Sheet({ sweep }: { sweep: SweepView }) {
  const { comparison: words } = useWords()
  const [state, set] = useState<'idle' | 'busy' | 'done'>('idle')
  const make = async () => {
    set('busy')
    try {
      await start({ workflow: { ...sheetOf(sweep) }, mode: sweep.mode })
      set('done')
      say(words.keeping)
    } catch (error) {
      refused(error)
      set('idle')
    }
  }
  if (sweep.cells.some((cell) => !cell.files[0]?.mime.startsWith('image/'))) return null
  return (
    <button type="button" className="button" disabled={state !== 'idle'} onClick={() => void make()}>
      <ImageDown size={16} aria-hidden="true" /> {state === 'done' ? words.kept : words.keep}
    </button>
  )
}

/** Ask again when runs of these come to their ends. */
function useEnded(runs: string[], again: () => void): void {
  const ended = useRuns((state) => runs.filter((id) => state.runs[id] && over(state.runs[id])).length)
  const known = useRef(ended)
  useEffect(() => {
    if (known.current === ended) return
    known.current = ended
    const timer = setTimeout(again, PAUSE)
    return () => clearTimeout(timer)
  }, [ended, again])
}

function refused(error: unknown): void {
  if (!(error instanceof Refused)) throw error
  say(error.message)
}
