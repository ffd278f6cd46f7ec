import { Check } from 'lucide-react'
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from 'react'
import { type Action, EVERYWHERE } from '../common/actions'
import { useWords } from '../common/words'
import { keysOf, spelled } from '../settings/keys'
import { ACTIONS } from './actions'
import style from './ContextMenu.module.css'
import { type Asked, closeMenu, MENUS, useMenu } from './menu'

const ALL = [...ACTIONS, ...EVERYWHERE]
const EDGE = 8 // pixels that it keeps from the window's edges

/** The menu at the mouse. */
export function ContextMenu() {
  const { asked } = useMenu()
  if (!asked) return null
  const parts = MENUS[asked.about]
    .map((ids) => ids.flatMap((id) => ALL.find((one) => one.id === id) ?? []))
    .map((actions) => actions.filter((one) => one.when?.(asked) ?? true))
    .filter((actions) => actions.length > 0)
  return <List key={`${asked.x} ${asked.y} ${asked.about}`} parts={parts} asked={asked} />
}

function List({ parts, asked }: { parts: Action[][]; asked: Asked }) {
  const { x, y } = asked
  const place = useRef<HTMLDivElement>(null)
  const before = useRef(document.activeElement)
  const leave = (back: boolean) => {
    closeMenu()
    if (back && before.current instanceof HTMLElement) before.current.focus()
  }
  useLayoutEffect(() => {
    const menu = place.current
    if (!menu) return
    const { width, height } = menu.getBoundingClientRect()
    menu.style.left = `${Math.max(EDGE, Math.min(x, window.innerWidth - width - EDGE))}px`
    menu.style.top = `${Math.max(EDGE, Math.min(y, window.innerHeight - height - EDGE))}px`
    menu.querySelector<HTMLElement>('button')?.focus()
  }, [x, y])
  useEffect(() => {
    const outside = (event: Event) => {
      if (!(event.target instanceof Node && place.current?.contains(event.target))) closeMenu()
    }
    const native = (event: Event) => place.current?.contains(event.target as Node) && event.preventDefault()
    document.addEventListener('pointerdown', outside, true)
    document.addEventListener('wheel', outside, true)
    document.addEventListener('contextmenu', native, true)
    window.addEventListener('resize', closeMenu)
    window.addEventListener('blur', closeMenu)
    return () => {
      document.removeEventListener('pointerdown', outside, true)
      document.removeEventListener('wheel', outside, true)
      document.removeEventListener('contextmenu', native, true)
      window.removeEventListener('resize', closeMenu)
      window.removeEventListener('blur', closeMenu)
    }
  }, [])
  const pressed = (event: KeyboardEvent) => {
    event.stopPropagation()
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault()
      return leave(true)
    }
    const all = [...(place.current?.querySelectorAll<HTMLElement>('button') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    const next = nextOf(event.key, at, all)
    if (next === undefined) return
    event.preventDefault()
    all[next]?.focus()
  }
  return (
    <div
      ref={place}
      role="menu"
      aria-label={useWords().actions.menu}
      tabIndex={-1}
      className={style.menu}
      onKeyDown={pressed}
    >
      {parts.map((actions, index) => (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a menu
        <div
          key={actions[0]?.id}
          role="group"
          className={actions[0]?.swatch === undefined ? style.part : style.swatches}
          data-first={index === 0}
        >
          {actions.map((action) => (
            <Item
              key={action.id}
              action={action}
              pick={() => {
                leave(true)
                void action.does(asked)
              }}
            />
          ))}
        </div>
      ))}
    </div>
  )
}

function Item({ action, pick }: { action: Action; pick: () => void }) {
  const on = action.on?.()
  const [keys] = keysOf(action)
  const title = useWords().actions[action.id]
  const common = {
    type: 'button' as const,
    tabIndex: -1,
    onClick: pick,
    onPointerEnter: (event: React.PointerEvent<HTMLButtonElement>) => event.currentTarget.focus(),
    ...(on === undefined
      ? { role: 'menuitem' }
      : { role: action.swatch === undefined ? 'menuitemcheckbox' : 'menuitemradio', 'aria-checked': on }),
  }
  if (action.swatch !== undefined)
    return (
      <button
        {...common}
        aria-label={title}
        title={title}
        style={{ '--swatch': action.swatch || 'var(--raised)' } as React.CSSProperties}
      />
    )
  return (
    <button {...common} data-bad={action.id === 'delete' || action.id === 'wire-cut'}>
      <span className={style.tick}>{on && <Check size={14} aria-hidden="true" />}</span>
      <span className={style.title}>{title}</span>
      {keys && (
        <span className={style.keys} aria-hidden="true">
          {spelled(keys)}
        </span>
      )}
    </button>
  )
}

/** Where the focus goes from here; letters go to what begins with them. */
function nextOf(key: string, at: number, all: HTMLElement[]): number | undefined {
  const count = all.length
  if (key === 'ArrowDown' || key === 'ArrowRight') return (at + 1) % count
  if (key === 'ArrowUp' || key === 'ArrowLeft') return (at - 1 + count) % count
  if (key === 'Home') return 0
  if (key === 'End') return count - 1
  if (key.length !== 1 || key === ' ') return undefined
  const begins = (one: HTMLElement | undefined) =>
    (one?.getAttribute('aria-label') ?? one?.querySelector(`.${style.title}`)?.textContent ?? '')
      .toLowerCase()
      .startsWith(key.toLowerCase())
  const found = all.map((_, step) => (at + 1 + step) % count).find((index) => begins(all[index]))
  return found
}
