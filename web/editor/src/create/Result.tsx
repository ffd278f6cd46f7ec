import { Brush, Columns2, Download, GitFork, Pencil, RefreshCw, Square, Workflow } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import { url } from '../api/client'
import type { FileView } from '../api/types'
import { Compare } from '../common/Compare'
import { filesOf } from '../common/files'
import { openRun } from '../common/reuse'
import { about, cancel, type Known, over, refresh, useRuns } from '../common/runs'
import { seconds } from '../common/typical'
import { useWords, words } from '../common/words'
import style from './Create.module.css'
import { GoOn } from './GoOn'
import { FirstFew } from './Templates'
import type { Listed } from './workflows'

const Painter = lazy(() => import('../mask/Painter'))

interface Props {
  ids: string[]
  listed: Listed[]
  choose: (name: string) => void
  again: () => void
  variations: (() => void) | null
  /** Go on with this picture in another app. */
  use: (picture: string, app: string) => void
  /** Draw anew what is marked in this picture. */
  painted: (picture: string, mask: string) => void
}

/** What the newest runs of this form made, or make right now. */
export function Result({ ids, listed, choose, again, variations, use, painted }: Props) {
  const { result: words, compare: comparison } = useWords()
  const runs = useRuns((state) => state.runs)
  const [chosen, pick] = useState<string | null>(null)
  const [comparing, compare] = useState(false)
  const [painting, paint] = useState(false)
  const [editing, edit] = useState(false)
  const [, go] = useLocation()
  const unknown = useRuns((state) => (state.loaded ? ids.filter((id) => !state.runs[id]).join() : ''))
  useEffect(() => {
    for (const id of unknown.split(',').filter(Boolean)) void refresh(id).catch(() => {}) // it is an old one
  }, [unknown])
  const here = ids.map((id) => runs[id]).filter((run) => run !== undefined)
  const current = here.find((run) => run.id === chosen) ?? here[0]
  const picture = current && pictureIn(current)
  const earlier = useRuns((state) => (current ? before(state, current, ids) : null))
  return (
    <section className={style.result} data-empty={current === undefined} aria-label={words.title}>
      {!current ? (
        <Nothing listed={listed} choose={choose} />
      ) : comparing && picture && earlier ? (
        <div className={style.compared}>
          <Compare
            first={{ url: earlier, title: words.earlier }}
            second={{ url: picture.url, title: words.newer }}
          />
        </div>
      ) : (
        <Big run={current} />
      )}
      {here.length > 1 && (
        <ul className={style.strip}>
          {here.map((run, index) => (
            <li key={run.id}>
              <button
                type="button"
                className={style.thumb}
                aria-pressed={run === current}
                aria-label={words.picture(index + 1)}
                onClick={() => pick(run.id)}
              >
                <Small run={run} />
              </button>
            </li>
          ))}
        </ul>
      )}
      {current && (
        <div className={style.actions}>
          {over(current) ? (
            <>
              <button type="button" className="button" onClick={again}>
                <RefreshCw size={16} aria-hidden="true" /> {words.again}
              </button>
              {variations && (
                <button type="button" className="button" onClick={variations}>
                  <GitFork size={16} aria-hidden="true" /> {words.variations}
                </button>
              )}
              {picture && (
                <>
                  <button type="button" className="button" onClick={() => paint(true)}>
                    <Brush size={16} aria-hidden="true" /> {words.mask}
                  </button>
                  <button type="button" className="button" onClick={() => edit(true)}>
                    <Pencil size={16} aria-hidden="true" /> {words.edit}
                  </button>
                </>
              )}
              {picture && earlier && (
                <button
                  type="button"
                  className="button"
                  aria-pressed={comparing}
                  title={words.compareSays}
                  onClick={() => compare(!comparing)}
                >
                  <Columns2 size={16} aria-hidden="true" /> {comparison.title}
                </button>
              )}
              {filesOf(current.outputs)[0] && (
                <a className="button" href={url(`${filesOf(current.outputs)[0]?.url}?download`)} download>
                  <Download size={16} aria-hidden="true" /> {words.download}
                </a>
              )}
            </>
          ) : (
            <button
              type="button"
              className="button"
              onClick={() => void Promise.all(here.filter((run) => !over(run)).map((run) => cancel(run.id)))}
            >
              <Square size={16} aria-hidden="true" /> {words.stop}
            </button>
          )}
          <button type="button" className="button" onClick={() => void openRun(current.id, go)}>
            <Workflow size={16} aria-hidden="true" /> {words.openGraph}
          </button>
        </div>
      )}
      {editing && picture && <GoOn choose={(app) => use(picture.id, app)} close={() => edit(false)} />}
      {painting && picture && (
        <Suspense>
          <Painter
            picture={picture.id}
            alone
            keep={(mask) => painted(picture.id, mask)}
            close={() => paint(false)}
          />
        </Suspense>
      )}
    </section>
  )
}

function pictureIn(run: Known): FileView | undefined {
  return filesOf(run.outputs).find((file) => file.mime.startsWith('image/'))
}

/** The address of the picture that was made before those that are shown, or else the other of two. */
function before(
  state: { runs: Record<string, Known>; order: string[] },
  run: Known,
  ids: string[],
): string | null {
  const older = state.order.slice(state.order.indexOf(run.id) + 1)
  const all = [...older.filter((id) => !ids.includes(id)), ...ids.filter((id) => id !== run.id)]
  for (const id of all) {
    const other = state.runs[id]
    const found = other && pictureIn(other)
    if (found) return found.url
  }
  return null
}

function Nothing({ listed, choose }: { listed: Listed[]; choose: (name: string) => void }) {
  const { result: words } = useWords()
  return (
    <div className={style.nothing}>
      <p className={style.big}>{words.say}</p>
      <p className="muted">{words.enter}</p>
      <FirstFew listed={listed} choose={choose} />
    </div>
  )
}

function Big({ run }: { run: Known }) {
  const preview = useRuns((state) => state.previews[run.id])
  const { result: words, problem } = useWords()
  const files = filesOf(run.outputs)
  return (
    <>
      <div className={style.stage}>
        {files[0] ? (
          <Shown file={files[0]} about={about(run)} />
        ) : preview ? (
          <img src={preview.url} alt={words.drawing} className={style.blurred} />
        ) : (
          <div className={style.wait}>{waiting(run)}</div>
        )}
      </div>
      <p role="status" className={`muted ${style.says}`}>
        {says(run)}
      </p>
      {!over(run) && <progress className={style.progress} value={run.progress} aria-label={words.how} />}
      {files.length > 1 && (
        <ul className={style.strip}>
          {files.map((file) => (
            <li key={file.id} className={style.thumb}>
              <a href={url(file.url)} target="_blank" rel="noreferrer" title={words.alone}>
                <img src={url(`${file.url}?size=256`)} alt={file.name} />
              </a>
            </li>
          ))}
        </ul>
      )}
      {run.error && (
        <div role="alert" className="problem">
          {[run.error.step, run.error.code?.replaceAll('_', ' ')].filter(Boolean).join(': ')}
          {run.error.got && problem.got(run.error.got)}
          {run.error.want && problem.want(run.error.want)}. {run.error.remedy}
        </div>
      )}
    </>
  )
}

function Shown({ file, about }: { file: { url: string; mime: string }; about: string }) {
  if (file.mime.startsWith('video/')) return <video src={url(file.url)} controls loop autoPlay muted />
  // biome-ignore lint/a11y/useMediaCaption: what was just made has none
  if (file.mime.startsWith('audio/')) return <audio src={url(file.url)} controls />
  return (
    <img
      src={url(file.url)}
      alt={about}
      onDragStart={(event) =>
        event.dataTransfer.setData('application/x-tessera-artifact', file.url.split('/').at(-1) ?? '')
      }
    />
  )
}

function Small({ run }: { run: Known }) {
  const preview = useRuns((state) => state.previews[run.id])
  const [file] = filesOf(run.outputs)
  if (file) return <img src={url(`${file.url}?size=256`)} alt="" />
  return preview ? <img src={preview.url} alt="" /> : <span className={style.wait} />
}

function waiting(run: Known): string {
  const { queued, held, running, waiting, failed, cancelled, done } = words().result
  return { queued, held, running, waiting, failed, cancelled, done }[run.state] ?? run.state
}

function says(run: Known): string {
  if (run.state === 'done') return words().result.doneIn(seconds((run.finished ?? 0) - (run.started ?? 0)))
  if (run.state !== 'running') return waiting(run)
  const step = Object.keys(run.under_way ?? {}).at(-1)
  return `${Math.round(100 * run.progress)} %${step ? ` · ${step}` : ''}`
}
