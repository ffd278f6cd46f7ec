import { Minus, PencilLine, Plus } from 'lucide-react'
import { useMemo } from 'react'
import { useWords } from '../common/words'
import { diff } from './model/diff'
import type { Document } from './model/document'
import style from './Tabs.module.css'

const SIGNS = { added: Plus, removed: Minus, changed: PencilLine }

/** What one workflow has otherwise than another, line by line. */
export function Differences({ from, to, label }: { from: Document; to: Document; label: string }) {
  const { versions: words } = useWords()
  const found = useMemo(() => diff(from, to), [from, to])
  if (found.length === 0) return <p className="muted small">{words.same}</p>
  return (
    <ul className={style.lines} aria-label={label}>
      {found.map(({ kind, group, step, says }) => {
        const Sign = SIGNS[kind]
        return (
          <li key={`${group} ${step} ${says}`} data-kind={kind}>
            <Sign size={14} style={{ marginTop: 3 }} aria-hidden="true" />
            <span>
              {group && <span className="muted">{group} › </span>}
              {says}
            </span>
          </li>
        )
      })}
    </ul>
  )
}
