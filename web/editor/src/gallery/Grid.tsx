import { useVirtualizer } from '@tanstack/react-virtual'
import { AudioLines, Check, Film, Star } from 'lucide-react'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { url } from '../api/client'
import type { MadeView } from '../api/types'
import { press } from '../common/actions'
import { ARTIFACT } from '../common/reuse'
import { useWords } from '../common/words'
import { GALLERY, useHands } from './actions'
import style from './Gallery.module.css'
import { beside, rows } from './rows'

interface Props {
  items: readonly MadeView[]
  more: (() => unknown) | null
  open: string | null
  selected: readonly string[]
  pick: (id: string) => void
  look: (id: string) => void
  choose: (ids: readonly string[]) => void
  star: (item: MadeView) => void
  remove: (ids: readonly string[]) => void
}

const GAP = 8
const TALL = 208
const TALL_ON_A_PHONE = 128
const NARROW = 560
const AHEAD = 3 // rows that are asked for before they are reached

/** All pictures in rows; only those in sight are in the page. */
export function Grid({ items, more, open, selected, pick, look, choose, star, remove }: Props) {
  const { gallery: words } = useWords()
  const place = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [at, setAt] = useState<string | null>(null)
  const anchor = useRef<string | null>(null)
  const sought = useRef(false)
  useLayoutEffect(() => {
    const element = place.current
    if (!element) return
    const watch = new ResizeObserver(() => setWidth(element.clientWidth - 16 - 4))
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  const laid = useMemo(() => {
    const height = width < NARROW ? TALL_ON_A_PHONE : TALL
    return width > 0 ? rows(items, width, { height, gap: GAP, more: more !== null }) : []
  }, [items, width, more])
  const virtual = useVirtualizer({
    count: laid.length,
    getScrollElement: () => place.current,
    estimateSize: (index) => (laid[index]?.height ?? TALL) + GAP,
    overscan: 3,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: another layout has other heights
  useEffect(() => virtual.measure(), [laid])
  const seen = virtual.getVirtualItems()
  const last = seen.at(-1)?.index ?? -1
  useEffect(() => {
    if (more && laid.length > 0 && last >= laid.length - 1 - AHEAD) void more()
  }, [last, laid.length, more])

  const current = items.find((one) => one.id === at) ?? items[0]
  const go = (item: MadeView | null | undefined) => {
    if (!item) return
    sought.current = true
    setAt(item.id)
    virtual.scrollToIndex(
      laid.findIndex((row) => row.items.some((one) => one.item === item)),
      { align: 'auto' },
    )
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: the tile may only be there after the scroll
  useEffect(() => {
    if (!sought.current || !at) return
    const tile = place.current?.querySelector<HTMLElement>(`[data-id="${at}"]`)
    if (!tile) return
    sought.current = false
    tile.focus({ preventScroll: true })
  }, [at, last, seen[0]?.index])
  const toggle = (id: string) =>
    choose(selected.includes(id) ? selected.filter((one) => one !== id) : [...selected, id])
  const reach = (id: string) => {
    const [from, to] = [anchor.current, id].map((one) => items.findIndex((item) => item.id === one)) as [
      number,
      number,
    ]
    if (from < 0) return toggle(id)
    const between = items.slice(Math.min(from, to), Math.max(from, to) + 1).map((one) => one.id)
    choose([...new Set([...selected, ...between])])
  }
  const index = current ? items.indexOf(current) : -1
  useHands({
    look: () => current && look(current.id),
    open: () => current && pick(current.id),
    select: () => current && toggle(current.id),
    star: () => current && star(current),
    remove: () => current && remove(selected.length > 0 ? selected : [current.id]),
    all: () => choose(items.map((one) => one.id)),
    leave: () => (selected.length > 0 || open === null ? choose([]) : pick(open)),
    go: (way) =>
      current &&
      go(
        {
          left: () => items[index - 1],
          right: () => items[index + 1],
          up: () => beside(laid, current, -1, GAP),
          down: () => beside(laid, current, 1, GAP),
          first: () => items[0],
          last: () => items.at(-1),
        }[way](),
      ),
  })
  return (
    <div ref={place} className={style.scroll}>
      <ul
        className={style.grid}
        style={{ height: virtual.getTotalSize() }}
        aria-label={words.made}
        onKeyDown={(event) => press(GALLERY, event)}
      >
        {seen.flatMap(({ index, start }) => {
          const row = laid[index]
          let left = 0
          return (row?.items ?? []).map(({ item, width }) => {
            const from = left
            left += width + GAP
            return (
              <li
                key={item.id}
                className={style.tile}
                style={{ width, height: row?.height, transform: `translate(${from}px, ${start}px)` }}
                data-selected={selected.includes(item.id)}
                data-open={item.id === open}
              >
                <Tile
                  item={item}
                  size={Math.max(width, row?.height ?? 0)}
                  current={item === current}
                  expanded={item.id === open}
                  focus={() => setAt(item.id)}
                  pick={(event) => {
                    if (event.shiftKey) return reach(item.id)
                    anchor.current = item.id
                    if (event.ctrlKey || event.metaKey) return toggle(item.id)
                    pick(item.id)
                  }}
                  look={() => look(item.id)}
                />
                <label className={style.check} data-any={selected.length > 0}>
                  <input
                    type="checkbox"
                    tabIndex={-1}
                    checked={selected.includes(item.id)}
                    aria-label={words.select(about(item))}
                    onChange={() => {
                      anchor.current = item.id
                      toggle(item.id)
                    }}
                  />
                  <Check size={14} aria-hidden="true" />
                </label>
                {item.starred && (
                  <Star className={style.star} size={16} fill="currentColor" aria-hidden="true" />
                )}
              </li>
            )
          })
        })}
      </ul>
    </div>
  )
}

export function about(item: MadeView): string {
  return item.prompt || item.title || item.name
}

interface TileProps {
  item: MadeView
  size: number
  current: boolean
  expanded: boolean
  focus: () => void
  pick: (event: React.MouseEvent) => void
  look: () => void
}

function Tile({ item, size, current, expanded, focus, pick, look }: TileProps) {
  const { gallery: words } = useWords()
  const picture = useRef<HTMLElement>(null)
  return (
    <button
      type="button"
      className={style.open}
      data-id={item.id}
      tabIndex={current ? 0 : -1}
      aria-label={item.starred ? words.starredOne(about(item)) : about(item)}
      aria-expanded={expanded}
      draggable
      onDragStart={({ dataTransfer }) => drag(dataTransfer, item, picture.current)}
      onFocus={focus}
      onClick={pick}
      onDoubleClick={look}
    >
      <Small item={item} size={size} />
      {item.mime.startsWith('video/') && <Film className={style.kind} size={16} aria-hidden="true" />}
      {item.mime.startsWith('audio/') && <AudioLines className={style.kind} size={16} aria-hidden="true" />}
    </button>
  )
}

/** So that a node, a form or another program can take it. */
export function drag(data: DataTransfer, item: MadeView, picture: Element | null): void {
  data.setData(ARTIFACT, item.id)
  data.setData('text/uri-list', url(item.url))
  data.effectAllowed = 'copy'
  if (picture) data.setDragImage(picture, 16, 16)
}

/** As small as it is shown. */
function Small({ item, size }: { item: MadeView; size: number }) {
  const [failed, fail] = useState(false)
  if (item.mime.startsWith('audio/') || failed) return <span className={style.word}>{about(item)}</span>
  if (item.mime.startsWith('video/'))
    return <video src={url(item.url)} muted preload="metadata" playsInline onError={() => fail(true)} />
  const wanted = size * (globalThis.devicePixelRatio ?? 1) > 280 ? 512 : 256
  return (
    <img
      src={url(`${item.url}?size=${wanted}`)}
      alt=""
      decoding="async"
      draggable={false}
      onError={() => fail(true)}
    />
  )
}
