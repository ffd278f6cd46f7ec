import { useVirtualizer } from '@tanstack/react-virtual'
import { Copy, X } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { say } from '../common/toast'
import { useWords } from '../common/words'
import { IconButton } from '../widgets/IconButton'
import style from './Log.module.css'
import { useLog } from './log'
import { type Level, type LogLine, linesOf, written } from './model/log'
import { useGraph } from './store'
import { point } from './tabs'

const ROW = 24
const LEVELS: readonly Level[] = ['info', 'warning', 'error']
const RANK: Record<Level, number> = { info: 0, warning: 1, error: 2 }

/** What the server did for the runs of this window. */
export function Log() {
  const { runs, step } = useLog()
  const { log: words } = useWords()
  const [least, setLeast] = useState<Level>('info')
  const run = useGraph((state) => state.run)
  const all = useMemo(
    () =>
      Object.keys(runs)
        .sort() // their ids grow with time
        .flatMap((id) => linesOf(runs[id] ?? [])),
    [runs],
  )
  const steps = useMemo(() => [...new Set(all.map((line) => bare(line.step)))].filter(Boolean).sort(), [all])
  const lines = all.filter(
    (line) => RANK[line.level] >= RANK[least] && (step === '' || bare(line.step) === bare(step)),
  )
  return (
    <section className={style.log} aria-label={words.title}>
      <header className={style.head}>
        <h2>{words.title}</h2>
        <select
          className="field"
          aria-label={words.nodes}
          value={steps.includes(bare(step)) ? bare(step) : ''}
          onChange={(event) => useLog.setState({ step: event.target.value })}
        >
          <option value="">{words.allNodes}</option>
          {steps.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <select
          className="field"
          aria-label={words.which}
          value={least}
          onChange={(event) => setLeast(event.target.value as Level)}
        >
          {LEVELS.map((level) => (
            <option key={level} value={level}>
              {words[level]}
            </option>
          ))}
        </select>
        <button
          type="button"
          className={`button plain ${style.copy}`}
          disabled={lines.length === 0}
          onClick={() =>
            void navigator.clipboard
              .writeText(written(lines))
              .then(() => say(lines.length === 1 ? words.oneCopied : words.copied(lines.length)))
          }
        >
          <Copy size={14} aria-hidden="true" /> {words.copy}
        </button>
        <IconButton label={words.close} icon={X} onClick={() => useLog.setState({ open: false })} />
      </header>
      {lines.length === 0 ? (
        <p className={`muted small ${style.empty}`}>{all.length === 0 ? words.nothing : words.none}</p>
      ) : (
        <Lines lines={lines} run={run} />
      )}
    </section>
  )
}

/** The lines in sight; the newest is followed as long as somebody looks at the end. */
function Lines({ lines, run }: { lines: LogLine[]; run: string | null }) {
  const place = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const { log: words } = useWords()
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW,
    overscan: 12,
  })
  useEffect(() => {
    if (atEnd.current) virtual.scrollToIndex(lines.length - 1)
  }, [lines.length, virtual])
  return (
    <div
      ref={place}
      className={style.scroll}
      role="log"
      aria-label={words.lines}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollTop + clientHeight > scrollHeight - ROW
      }}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const line = lines[index]
          return (
            line && (
              <div
                key={line.key}
                className={style.line}
                data-level={line.level}
                data-own={line.run === run}
                style={{ transform: `translateY(${start}px)` }}
              >
                <time dateTime={new Date(line.at * 1000).toISOString()}>{timeOf(line.at)}</time>
                <span className={style.level}>{words.levels[line.level]}</span>
                {line.step ? (
                  <button type="button" title={line.step} onClick={() => point(own(line.step))}>
                    {nameOf(line.step)}
                  </button>
                ) : (
                  <span className={style.whole}>{words.run}</span>
                )}
                <span className={style.says} title={line.says}>
                  {line.says}
                </span>
              </div>
            )
          )
        })}
      </div>
    </div>
  )
}

/** A step without the number of its turn in a loop. */
function bare(step: string): string {
  return own(step).replace(/#\d+|\[\d+\]/g, '')
}

/** The step itself, where what is told is of a check of what it gave. */
function own(step: string): string {
  return step.includes(':') ? step.slice(0, step.indexOf(':')).replace(/\.[^./]*$/, '') : step
}

function nameOf(step: string): string {
  const check = step.includes(':') ? ` · ${step.slice(step.indexOf(':') + 1).replaceAll('_', ' ')}` : ''
  return `${own(step)}${check}`
}

function timeOf(at: number): string {
  const time = new Date(at * 1000)
  return `${time.toLocaleTimeString('en-GB')}.${String(time.getMilliseconds()).padStart(3, '0')}`
}
