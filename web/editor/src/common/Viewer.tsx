import { ChevronLeft, ChevronRight, Maximize, ZoomIn, ZoomOut } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { url } from '../api/client'
import { IconButton } from '../widgets/IconButton'
import { press } from './actions'
import { Overlay } from './Overlay'
import style from './Viewer.module.css'
import { useHands, VIEWER } from './viewing'
import { useWords } from './words'
import { FITTED, kept, type View, zoomed } from './zoom'

interface Props {
  file: { url: string; mime: string; width?: number; height?: number }
  title: string
  close: () => void
  /** To the one before and the one after, where there is one. */
  before?: (() => void) | null
  after?: (() => void) | null
}

const STEP = 1.25

/** A picture over the whole window, to look into. */
export function Viewer({ file, title, close, before, after }: Props) {
  const { viewer: words } = useWords()
  const room = useRef<HTMLDivElement>(null)
  const held = useRef<{ x: number; y: number } | null>(null)
  const [view, setView] = useState<View>(FITTED)
  const [space, setSpace] = useState<[number, number]>([1, 1])
  const [size, setSize] = useState<[number, number]>([file.width ?? 0, file.height ?? 0])
  const still = file.mime.startsWith('image/')
  useEffect(() => {
    const place = room.current
    if (!place) return
    const watch = new ResizeObserver(() => setSpace([place.clientWidth, place.clientHeight]))
    watch.observe(place)
    return () => watch.disconnect()
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another picture is looked at whole
  useEffect(() => {
    setView(FITTED)
    setSize([file.width ?? 0, file.height ?? 0])
  }, [file.url])
  const fit = Math.min(space[0] / (size[0] || 1), space[1] / (size[1] || 1))
  const change = (make: (view: View) => View) => setView((now) => kept(make(now), size, space))
  const by = (factor: number, x = 0, y = 0) => change((now) => zoomed(now, fit, factor, x, y))
  const exactly = () =>
    change((now) => zoomed({ ...now, scale: now.scale || fit }, 0, 1 / (now.scale || fit)))
  useHands({
    before: before ?? null,
    after: after ?? null,
    larger: () => by(STEP),
    smaller: () => by(1 / STEP),
    fit: () => setView(FITTED),
    exact: exactly,
  })
  useEffect(() => {
    const place = room.current
    if (!place || !still) return
    const wheel = (event: WheelEvent) => {
      event.preventDefault() // which React's own listener may not
      const at = place.getBoundingClientRect()
      const [x, y] = [event.clientX - at.left - at.width / 2, event.clientY - at.top - at.height / 2]
      setView((now) => kept(zoomed(now, fit, 1.0015 ** -event.deltaY, x, y), size, space))
    }
    place.addEventListener('wheel', wheel, { passive: false })
    return () => place.removeEventListener('wheel', wheel)
  }, [fit, size, space, still])
  const scale = view.scale || fit
  return (
    <Overlay
      title={title}
      close={close}
      onKeyDown={(event) => press(VIEWER, event)}
      tools={
        still && (
          <>
            <IconButton label={words.smaller} icon={ZoomOut} size={18} onClick={() => by(1 / STEP)} />
            <output className={style.percent} aria-label={words.size}>
              {Math.round(scale * 100)} %
            </output>
            <IconButton label={words.larger} icon={ZoomIn} size={18} onClick={() => by(STEP)} />
            <IconButton label={words.fit} icon={Maximize} size={18} onClick={() => setView(FITTED)} />
          </>
        )
      }
    >
      <div className={style.stage}>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the same is done with keys and buttons */}
        <div
          ref={room}
          className={style.room}
          data-near={view.scale > 0}
          onDoubleClick={() => (view.scale > 0 ? setView(FITTED) : exactly())}
          onPointerDown={(event) => {
            if (!still) return
            event.currentTarget.setPointerCapture(event.pointerId)
            held.current = { x: event.clientX, y: event.clientY }
          }}
          onPointerMove={({ clientX, clientY }) => {
            const from = held.current
            if (!from || view.scale === 0) return
            held.current = { x: clientX, y: clientY }
            change((now) => ({ ...now, x: now.x + clientX - from.x, y: now.y + clientY - from.y }))
          }}
          onPointerUp={() => {
            held.current = null
          }}
        >
          <Shown
            file={file}
            title={title}
            place={
              size[0]
                ? {
                    width: size[0] * scale,
                    height: size[1] * scale,
                    transform: `translate(calc(-50% + ${view.x}px), calc(-50% + ${view.y}px))`,
                  }
                : {}
            }
            crisp={view.scale > 4}
            sized={setSize}
          />
        </div>
        {before && (
          <IconButton
            label={words.before}
            icon={ChevronLeft}
            size={20}
            className={style.before}
            onClick={before}
          />
        )}
        {after && (
          <IconButton
            label={words.after}
            icon={ChevronRight}
            size={20}
            className={style.after}
            onClick={after}
          />
        )}
      </div>
    </Overlay>
  )
}

interface ShownProps {
  file: Props['file']
  title: string
  place: React.CSSProperties
  crisp: boolean
  sized: (size: [number, number]) => void
}

function Shown({ file, title, place, crisp, sized }: ShownProps) {
  if (file.mime.startsWith('video/'))
    return <video className={style.clip} src={url(file.url)} controls loop autoPlay muted />
  // biome-ignore lint/a11y/useMediaCaption: what was made here has none
  if (file.mime.startsWith('audio/')) return <audio className={style.clip} src={url(file.url)} controls />
  return (
    <img
      className={style.picture}
      data-crisp={crisp}
      style={place}
      src={url(file.url)}
      alt={title}
      draggable={false}
      onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => sized([naturalWidth, naturalHeight])}
    />
  )
}
