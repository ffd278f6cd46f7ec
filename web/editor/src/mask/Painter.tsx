import { Brush, Eraser, FlipHorizontal2, Lasso, Redo2, Trash2, Undo2, ZoomIn, ZoomOut } from 'lucide-react'
import { type PointerEvent, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import { Refused, url } from '../api/client'
import { press } from '../common/actions'
import { upload } from '../common/files'
import { useWords, words } from '../common/words'
import { keysOf, spelled } from '../settings/keys'
import { IconButton } from '../widgets/IconButton'
import { MASK, useHands } from './actions'
import style from './Painter.module.css'
import { png } from './png'
import {
  type Act,
  type Acts,
  COLOUR,
  done,
  draw,
  feather,
  line,
  NONE,
  type Point,
  redone,
  undone,
} from './strokes'

const TOOLS = [
  { id: 'brush', icon: Brush },
  { id: 'eraser', icon: Eraser },
  { id: 'lasso', icon: Lasso },
] as const
const ZOOM = 1.25
const NEAREST = 16 // how much closer than fitting
const LARGEST_BRUSH = 400

interface Props {
  /** The picture to paint over. */
  picture: string
  /** Whether a mask of its own is wanted; else the picture itself comes back, transparent where it is marked. */
  alone: boolean
  keep: (id: string) => void
  close: () => void
}

/** Paint over a picture what is to be changed in it. */
export default function Painter({ picture, alone, keep, close }: Props) {
  const { mask: words } = useWords()
  const dialog = useRef<HTMLDialogElement>(null)
  const stage = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const image = useRef<HTMLImageElement>(null)
  const [tool, setTool] = useState<(typeof TOOLS)[number]['id']>('brush')
  const [size, setSize] = useState(0)
  const [soft, setSoft] = useState(0)
  const [own, setOwn] = useState(alone)
  const [acts, setActs] = useState<Acts>(NONE)
  const [extent, setExtent] = useState<[number, number] | null>(null)
  const [zoom, setZoom] = useState(1)
  const [fit, setFit] = useState(1)
  const [said, say] = useState('')
  const stroke = useRef<Point[] | null>(null)
  const touches = useRef(new Map<number, [number, number]>())
  const penned = useRef(false)
  const [trail, setTrail] = useState<readonly Point[]>([])

  useEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close()
  }, [])
  const context = () => canvas.current?.getContext('2d', { willReadFrequently: true }) ?? null
  useLayoutEffect(() => {
    const drawn = canvas.current?.getContext('2d', { willReadFrequently: true })
    if (!drawn || !extent) return
    drawn.clearRect(0, 0, ...extent)
    for (const act of acts.past) draw(drawn, act)
  }, [acts, extent])

  const loaded = () => {
    const { naturalWidth: wide, naturalHeight: high } = image.current ?? { naturalWidth: 0, naturalHeight: 0 }
    const room = stage.current?.getBoundingClientRect()
    if (!wide || !room) return
    setExtent([wide, high])
    setFit(Math.min((room.width - 32) / wide, (room.height - 32) / high))
    setSize(Math.max(2, Math.round(Math.min(wide, high) / 8)))
  }
  const act = (one: Act) => setActs((now) => done(now, one))
  const scale = fit * zoom
  const place = (event: PointerEvent): Point => {
    const box = canvas.current?.getBoundingClientRect()
    const pressure = event.pointerType === 'pen' ? event.pressure : 1
    return [(event.clientX - (box?.x ?? 0)) / scale, (event.clientY - (box?.y ?? 0)) / scale, pressure]
  }
  const down = (event: PointerEvent<HTMLCanvasElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId)
    if (event.pointerType === 'touch' || event.button === 1)
      touches.current.set(event.pointerId, [event.clientX, event.clientY])
    if (touches.current.size === 2) {
      stroke.current = null
      setTrail([])
      setActs((now) => ({ ...now })) // what the first finger drew goes
    }
    if (event.pointerType === 'pen') penned.current = true
    const palm = penned.current && event.pointerType === 'touch' // who draws with a pen rests the hand
    if (event.button !== 0 || touches.current.size > 1 || palm) return
    stroke.current = [place(event)]
    paint(0)
  }
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    const points = stroke.current
    if (touches.current.has(event.pointerId) && !points) return pan(event)
    if (!points) return
    const from = points.length
    const between = event.nativeEvent.getCoalescedEvents?.() ?? []
    for (const one of between.length > 0 ? between : [event.nativeEvent])
      points.push(place(one as unknown as PointerEvent))
    paint(from)
  }
  /** Two fingers, or the middle button: move the sheet, and with fingers bring it nearer. */
  const pan = (event: PointerEvent) => {
    const before = touches.current.get(event.pointerId) ?? [0, 0]
    const now: [number, number] = [event.clientX, event.clientY]
    const other = [...touches.current].find(([id]) => id !== event.pointerId)?.[1]
    if (other) nearer(distance(now, other) / Math.max(1, distance(before, other)))
    stage.current?.scrollBy(before[0] - now[0], before[1] - now[1])
    touches.current.set(event.pointerId, now)
  }
  const up = (event: PointerEvent) => {
    touches.current.delete(event.pointerId)
    const points = stroke.current
    stroke.current = null
    setTrail([])
    if (!points) return
    if (tool === 'lasso') points.length > 2 && act({ does: 'lasso', takes: !event.altKey, points })
    else act({ does: tool, size, points })
  }
  /** Show what is under way; it is drawn again, from the list, when it is over. */
  const paint = (from: number) => {
    const [drawn, points] = [context(), stroke.current]
    if (!drawn || !points) return
    if (tool === 'lasso') return setTrail([...points])
    drawn.save()
    drawn.fillStyle = drawn.strokeStyle = COLOUR
    drawn.lineCap = drawn.lineJoin = 'round'
    if (tool === 'eraser') drawn.globalCompositeOperation = 'destination-out'
    line(drawn, points, size, from)
    drawn.restore()
  }
  const nearer = (by: number) => setZoom((now) => Math.min(NEAREST, Math.max(1, now * by)))
  const save = async () => {
    const [drawn, shown] = [context(), image.current]
    if (!drawn || !shown || !extent) return
    say(words.saving)
    try {
      keep((await upload(await file(drawn, shown, extent, soft, own), own ? 'mask.png' : 'erased.png')).id)
      close()
    } catch (error) {
      say(error instanceof Refused ? error.message : words.notSaved)
    }
  }
  const pressed = (event: React.KeyboardEvent) => {
    event.stopPropagation() // the page behind listens too
    press(MASK, event)
  }
  useHands({
    tool: setTool,
    brush: (by) =>
      setSize((now) =>
        Math.max(1, Math.min(LARGEST_BRUSH, by > 1 ? Math.ceil(now * by) : Math.floor(now * by))),
      ),
    invert: () => act({ does: 'invert' }),
    undo: () => setActs(undone),
    redo: () => setActs(redone),
    zoom: (closer) => nearer(closer ? ZOOM : 1 / ZOOM),
  })
  return createPortal(
    <dialog
      ref={dialog}
      className={style.painter}
      aria-label={words.title}
      onClose={close}
      onKeyDown={pressed}
    >
      <div className={style.bar}>
        <div role="radiogroup" aria-label={words.tool} className={style.group}>
          {TOOLS.map(({ id, icon: Icon }) => (
            <label key={id} className={style.tool} title={`${words[id]} (${keys(id)})`}>
              <input type="radio" name="tool" checked={tool === id} onChange={() => setTool(id)} />
              <Icon size={16} aria-hidden="true" /> <span>{words[id]}</span>
            </label>
          ))}
        </div>
        <Slide word={words.size} value={size} most={LARGEST_BRUSH} least={1} change={setSize} />
        <Slide word={words.soft} value={soft} most={100} least={0} change={setSoft} />
        <div className={style.group}>
          <Tool word={words.undo} off={acts.past.length === 0} does={() => setActs(undone)} icon={Undo2} />
          <Tool word={words.redo} off={acts.future.length === 0} does={() => setActs(redone)} icon={Redo2} />
          <Tool word={words.invert} does={() => act({ does: 'invert' })} icon={FlipHorizontal2} />
          <Tool word={words.clear} does={() => act({ does: 'clear' })} icon={Trash2} />
          <Tool word={words.further} off={zoom <= 1} does={() => nearer(1 / ZOOM)} icon={ZoomOut} />
          <Tool word={words.nearer} off={zoom >= NEAREST} does={() => nearer(ZOOM)} icon={ZoomIn} />
        </div>
      </div>
      <div
        ref={stage}
        className={style.stage}
        onWheel={(event) => nearer(event.deltaY < 0 ? ZOOM : 1 / ZOOM)}
      >
        <div
          className={style.sheet}
          style={extent ? { width: extent[0] * scale, height: extent[1] * scale } : undefined}
        >
          <img ref={image} src={url(`/api/artifacts/${picture}`)} alt={words.over} onLoad={loaded} />
          {extent && (
            <canvas
              ref={canvas}
              width={extent[0]}
              height={extent[1]}
              aria-label={words.drawn}
              style={soft ? { filter: `blur(${(soft * scale) / 2}px)` } : undefined}
              onPointerDown={down}
              onPointerMove={move}
              onPointerUp={up}
              onPointerCancel={up}
            />
          )}
          {extent && trail.length > 1 && (
            <svg viewBox={`0 0 ${extent[0]} ${extent[1]}`} aria-hidden="true">
              <polygon points={trail.map(([x, y]) => `${x},${y}`).join(' ')} />
            </svg>
          )}
        </div>
      </div>
      <div className={style.foot}>
        <label className="small">
          <input type="checkbox" checked={!own} onChange={(event) => setOwn(!event.target.checked)} />{' '}
          {words.inPicture}
        </label>
        <span role="status" className="small muted">
          {said}
        </span>
        <span className={style.gap} />
        <button type="button" className="button" onClick={close}>
          {words.cancel}
        </button>
        <button type="button" className="button main" onClick={() => void save()} disabled={!extent}>
          {words.use}
        </button>
      </div>
    </dialog>,
    document.body,
  )
}

interface Slid {
  word: string
  value: number
  least: number
  most: number
  change: (value: number) => void
}

function Slide({ word, value, least, most, change }: Slid) {
  return (
    <label className={style.slide}>
      <span className="small muted">{word}</span>
      <input
        type="range"
        min={least}
        max={most}
        value={value}
        onChange={(event) => change(event.target.valueAsNumber)}
      />
      <output className="small">{value}</output>
    </label>
  )
}

interface Done {
  word: string
  off?: boolean
  does: () => void
  icon: typeof Undo2
}

function Tool({ word, off, does, icon: Icon }: Done) {
  return <IconButton label={word} icon={Icon} title={word} disabled={off} onClick={does} />
}

function keys(tool: (typeof TOOLS)[number]['id']): string {
  const action = MASK.find(({ id }) => id === `mask-${tool}`)
  return spelled((action && keysOf(action)[0]) ?? '')
}

function distance(one: readonly [number, number], other: readonly [number, number]): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1])
}

/** The mask in grey, or the picture with what it marks made transparent. */
async function file(
  drawn: CanvasRenderingContext2D,
  shown: HTMLImageElement,
  [wide, high]: [number, number],
  soft: number,
  own: boolean,
): Promise<Blob> {
  const all = drawn.getImageData(0, 0, wide, high).data
  const mask = feather(
    new Uint8ClampedArray(wide * high).map((_, at) => all[4 * at + 3] ?? 0),
    wide,
    high,
    soft,
  )
  if (own) return png(mask, wide, high, 1)
  const copy = new OffscreenCanvas(wide, high).getContext('2d')
  if (!copy) throw new Error(words().mask.unreadable)
  copy.drawImage(shown, 0, 0)
  const pixels = copy.getImageData(0, 0, wide, high).data
  for (let at = 0; at < mask.length; at++)
    pixels[4 * at + 3] = Math.round(((pixels[4 * at + 3] ?? 255) * (255 - (mask[at] ?? 0))) / 255)
  return png(pixels, wide, high, 4)
}
