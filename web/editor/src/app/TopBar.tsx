import { Settings } from 'lucide-react'
import { type CSSProperties, useEffect, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useShallow } from 'zustand/react/shallow'
import { over, useRuns } from '../common/runs'
import { useWords } from '../common/words'
import { ModeSlider } from './ModeSlider'
import style from './TopBar.module.css'

const TABS = [
  ['/', 'create'],
  ['/graph', 'graph'],
  ['/gallery', 'gallery'],
  ['/queue', 'queue'],
] as const

/** Where one is, what runs, and in which mode. */
export function TopBar() {
  const [place] = useLocation()
  const { app: words } = useWords()
  return (
    <header className={style.bar}>
      <Link href="/" className={style.logo ?? ''}>
        <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
          <path fill="var(--pink)" d="M3 3h12v12H3z" />
          <path fill="var(--violet)" d="M17 3h12v12H17z" />
          <path fill="var(--orange)" d="M3 17h12v12H3z" />
          <path fill="var(--text)" d="M17 17h12v12H17z" />
        </svg>
        <span>Tessera</span>
      </Link>
      <nav aria-label={words.pages}>
        <ul className={style.tabs}>
          {TABS.map(([href, title]) => (
            <li key={href}>
              <Link
                href={href}
                className={style.tab ?? ''}
                aria-current={here(place, href) ? 'page' : undefined}
              >
                {words[title]}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <span className={style.gap} />
      <Connection />
      <QueuePill />
      <ModeSlider />
      <Link
        href="/settings"
        className="button icon plain"
        aria-label={words.settings}
        title={words.settings}
        aria-current={here(place, '/settings') ? 'page' : undefined}
      >
        <Settings size={18} aria-hidden="true" />
      </Link>
    </header>
  )
}

function here(place: string, href: string): boolean {
  if (href === '/gallery' && /^\/(comparisons|images)(\/|$)/.test(place)) return true
  return href === '/' ? place === '/' : place === href || place.startsWith(`${href}/`)
}

/** Says calmly that the server is away, and when it is back. */
function Connection() {
  const connected = useRuns((state) => state.connected)
  const { app: words } = useWords()
  const [back, setBack] = useState(false)
  const was = useRef(true)
  useEffect(() => {
    if (was.current === connected) return
    was.current = connected
    setBack(connected)
    const timer = setTimeout(() => setBack(false), 3000)
    return () => clearTimeout(timer)
  }, [connected])
  return (
    <p role="status" className={style.lost} data-shown={!connected || back}>
      {!connected ? words.lost : back ? words.back : ''}
    </p>
  )
}

function QueuePill() {
  const { app: words } = useWords()
  const [open, percent] = useRuns(
    useShallow((state) => {
      const open = state.order.map((id) => state.runs[id]).filter((run) => run !== undefined && !over(run))
      const running = open.find((run) => run?.state === 'running')
      return [open.length, running ? Math.round(100 * running.progress) : null] as const
    }),
  )
  return (
    <Link
      href="/queue"
      className={`button ${style.pill}`}
      aria-label={open ? words.unfinished(open) : words.nothingRuns}
      data-idle={open === 0}
      data-runs={percent !== null}
      style={{ '--way': `${percent ?? 0}%` } as CSSProperties}
    >
      {open === 0 ? words.idle : `${words.inQueue(open)}${percent === null ? '' : ` · ${percent} %`}`}
    </Link>
  )
}
