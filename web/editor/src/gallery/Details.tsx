import { Columns2, Download, Expand, Lightbulb, RotateCcw, Star, Trash2, Workflow, X } from 'lucide-react'
import { type ReactNode, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { ask, Refused, url } from '../api/client'
import type { MadeView, ReceiptView, Recipe, Verdict } from '../api/types'
import { useAsked } from '../common/asked'
import { type Compared, CompareOverlay } from '../common/Compare'
import { Explain } from '../common/Explain'
import { openWorkflow, reuse, startFrom } from '../common/reuse'
import { start } from '../common/runs'
import { say } from '../common/toast'
import { decimal, seconds } from '../common/typical'
import { useWords, words } from '../common/words'
import { GoOn } from '../create/GoOn'
import { IconButton } from '../widgets/IconButton'
import { Facts } from './Facts'
import style from './Gallery.module.css'
import { about, drag } from './Grid'
import { bringBack, change, throwAway } from './store'
import { Tags } from './Tags'

const MODES = ['safe', 'research', 'nsfw'] as const

interface Props {
  item: MadeView
  /** Beside it in the gallery, to compare it with. */
  neighbour: MadeView | null
  look: () => void
  close?: () => void
  /** As a page of its own, which shows the picture itself. */
  alone?: boolean
}

/** One picture: what it is, how it came to be, and all that can be done with it. */
export function Details({ item, neighbour, look, close, alone = false }: Props) {
  const { details: words, facts, mode, app } = useWords()
  const [, go] = useLocation()
  const receipt = useAsked<ReceiptView>(`/api/artifacts/${item.id}/receipt`)
  const [other, compare] = useState<Compared | null>(null)
  const [explains, explain] = useState(false)
  const [going, goOn] = useState(false)
  const size = item.width && item.height ? { width: item.width, height: item.height } : {}
  const still = item.mime.startsWith('image/')
  return (
    <div className={style.details}>
      <header className={style.head}>
        <h2 title={item.name}>{item.title || item.name || words.untitled}</h2>
        <button
          type="button"
          className="button icon plain"
          aria-label={words.star}
          aria-pressed={item.starred}
          onClick={() => void change([item.id], { starred: !item.starred })}
        >
          <Star
            size={18}
            aria-hidden="true"
            className={item.starred ? style.gold : ''}
            fill={item.starred ? 'currentColor' : 'none'}
          />
        </button>
        {!alone && (
          <Link className="button icon plain" href={`/images/${item.id}`} aria-label={words.page}>
            <Expand size={17} aria-hidden="true" />
          </Link>
        )}
        {close && <IconButton label={words.close} icon={X} size={18} onClick={close} />}
      </header>
      {!alone && <Picture item={item} look={look} />}
      <p className={style.prompt}>{about(item)}</p>
      <div className={style.actions}>
        <div className={style.split}>
          <button
            type="button"
            className="button main"
            onClick={() => void reuse(item.id, item.run, 'all', go)}
          >
            <RotateCcw size={16} aria-hidden="true" /> {words.reuse}
          </button>
          <button
            type="button"
            className="button"
            onClick={() => void reuse(item.id, item.run, 'prompt', go)}
          >
            {words.prompt}
          </button>
          <button type="button" className="button" onClick={() => void reuse(item.id, item.run, 'seed', go)}>
            {words.seed}
          </button>
        </div>
        <button type="button" className="button" onClick={() => void openWorkflow(item.id, go)}>
          <Workflow size={16} aria-hidden="true" /> {words.openWorkflow}
        </button>
        {still && (
          <button type="button" className="button" onClick={() => goOn(true)}>
            {words.asInput}
          </button>
        )}
        {still && neighbour?.mime.startsWith('image/') && (
          <button
            type="button"
            className="button"
            title={words.compareSays}
            onClick={() => compare({ url: neighbour.url, title: about(neighbour) })}
          >
            <Columns2 size={16} aria-hidden="true" /> {words.compare}
          </button>
        )}
        {still && <Why item={item} explain={() => explain(true)} />}
        <a className="button" href={url(`${item.url}?download`)} download>
          <Download size={16} aria-hidden="true" /> {words.download}
        </a>
        {item.trashed === null ? (
          <button type="button" className="button" onClick={() => void throwAway([item.id])}>
            <Trash2 size={16} aria-hidden="true" /> {words.delete}
          </button>
        ) : (
          <button type="button" className="button" onClick={() => void bringBack([item.id])}>
            <RotateCcw size={16} aria-hidden="true" /> {words.bringBack}
          </button>
        )}
      </div>
      <Tags item={item} />
      <dl className={style.facts}>
        <Fact name={facts.made}>{new Date(item.created * 1000).toLocaleString(app.language)}</Fact>
        {item.workflow && <Fact name={facts.workflow}>{item.workflow}</Fact>}
        {item.width && (
          <Fact name={facts.size}>
            {item.width} × {item.height}
          </Fact>
        )}
        <Fact name={facts.file}>
          {item.mime.replace(/^.*\//, '').toUpperCase()}, {bytes(item.bytes)}
        </Fact>
        <Fact name={facts.mode}>{mode[MODES[item.mode] ?? 'safe']}</Fact>
      </dl>
      {receipt.value && (
        <Facts
          receipt={receipt.value}
          id={item.id}
          compare={(parent) => compare({ url: `/api/artifacts/${parent}`, title: words.madeFrom })}
        />
      )}
      {receipt.problem && <p className="muted small">{receipt.problem}</p>}
      <Again id={item.id} />
      {other && (
        <CompareOverlay
          first={other}
          second={{ url: item.url, title: about(item), ...size }}
          close={() => compare(null)}
        />
      )}
      {going && (
        <GoOn choose={(app) => void startFrom(item.id, app, go).catch(refused)} close={() => goOn(false)} />
      )}
      {explains && <Explain id={item.id} title={about(item)} {...size} close={() => explain(false)} />}
    </div>
  )
}

function refused(error: unknown): void {
  if (!(error instanceof Refused)) throw error
  say(error.message)
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Picture({ item, look }: { item: MadeView; look: () => void }) {
  const { details: words } = useWords()
  const picture = useRef<HTMLImageElement>(null)
  if (item.mime.startsWith('video/'))
    // biome-ignore lint/a11y/useMediaCaption: what was made here has none
    return <video className={style.shown} src={url(item.url)} controls loop />
  // biome-ignore lint/a11y/useMediaCaption: what was made here has none
  if (item.mime.startsWith('audio/')) return <audio className={style.shown} src={url(item.url)} controls />
  return (
    <button
      type="button"
      className={style.closer}
      aria-label={words.closer}
      draggable
      onDragStart={({ dataTransfer }) => drag(dataTransfer, item, picture.current)}
      onClick={look}
    >
      <img ref={picture} src={url(item.url)} alt={about(item)} draggable={false} />
    </button>
  )
}

/** Shows what explains the picture, or has it explained: drawn again, it stays the same. */
function Why({ item, explain }: { item: MadeView; explain: () => void }) {
  const { details: words } = useWords()
  const [waits, wait] = useState(false)
  const begin = async () => {
    wait(true)
    try {
      const recipe = await ask<Recipe>(`/api/artifacts/${item.id}/recipe`)
      await start({
        workflow: recipe.name || recipe.workflow,
        inputs: recipe.inputs as Record<string, never>,
        explain: true,
        mode: item.mode,
      })
      say(words.explainBegins)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      say(error.message)
      wait(false)
    }
  }
  if (item.explained)
    return (
      <button type="button" className="button" onClick={explain}>
        <Lightbulb size={16} aria-hidden="true" /> {words.explain}
      </button>
    )
  return (
    <button
      type="button"
      className="button"
      disabled={waits}
      title={words.explainSays}
      onClick={() => void begin()}
    >
      <Lightbulb size={16} aria-hidden="true" /> {waits ? words.explaining : words.explain}
    </button>
  )
}

/** Whether the picture can be made again, pixel for pixel. */
function Again({ id }: { id: string }) {
  const [said, tell] = useState<{ sentence: string; equal?: boolean } | null>(null)
  const { details: words } = useWords()
  const [waits, wait] = useState(false)
  const verify = async () => {
    wait(true)
    const began = performance.now()
    try {
      const found = await ask<Verdict>(`/api/artifacts/${id}/verify`, { method: 'POST' })
      const took = seconds((performance.now() - began) / 1000)
      tell({ sentence: words.took(found.sentence, took), equal: found.equal })
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      tell({ sentence: error.message })
    }
    wait(false)
  }
  return (
    <div className={style.again}>
      <button type="button" className="button" disabled={waits} onClick={() => void verify()}>
        {waits ? words.verifying : words.verify}
      </button>
      <p role="status" className="small" data-equal={said?.equal}>
        {said?.sentence}
      </p>
    </div>
  )
}

export function bytes(count: number): string {
  if (count < 1000) return words().details.bytes(count)
  return count < 1e6 ? `${Math.round(count / 1000)} KB` : `${decimal(count / 1e6, 1)} MB`
}
