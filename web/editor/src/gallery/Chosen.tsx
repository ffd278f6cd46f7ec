import { Columns2, RotateCcw, Star, Tag, Trash2, X } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import type { MadeView } from '../api/types'
import { useWords } from '../common/words'
import style from './Gallery.module.css'
import { bringBack, change, select, throwAway, useGallery } from './store'

/** What can be done to all that are selected. */
export function Chosen({ compare }: { compare: (one: MadeView, two: MadeView) => void }) {
  const { items, selected, filters } = useGallery()
  const { selected: words } = useWords()
  const [tag, type] = useState('')
  const chosen = items.filter((one) => selected.includes(one.id))
  const starred = chosen.every((one) => one.starred)
  const trashed = chosen.every((one) => one.trashed !== null)
  const [one, two] = chosen
  const give = (event: FormEvent) => {
    event.preventDefault()
    if (tag.trim()) void change(selected, { tag: [tag.trim()] })
    type('')
  }
  return (
    <div className={style.filters} role="toolbar" aria-label={words.title}>
      <strong>{words.count(selected.length)}</strong>
      <button type="button" className="button" onClick={() => void change(selected, { starred: !starred })}>
        <Star size={15} aria-hidden="true" /> {starred ? words.unstar : words.star}
      </button>
      <form className={style.tagging} onSubmit={give}>
        <Tag size={15} aria-hidden="true" />
        <input
          className="field"
          aria-label={words.tagAll}
          placeholder={words.addTag}
          list="known-tags"
          value={tag}
          onChange={(event) => type(event.target.value)}
        />
        <datalist id="known-tags">
          {filters.tags.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </form>
      <button
        type="button"
        className="button"
        disabled={chosen.length !== 2}
        title={chosen.length === 2 ? undefined : words.compareSays}
        onClick={() => one && two && compare(two, one)}
      >
        <Columns2 size={15} aria-hidden="true" /> {words.compare}
      </button>
      {trashed ? (
        <button type="button" className="button" onClick={() => void bringBack(selected)}>
          <RotateCcw size={15} aria-hidden="true" /> {words.bringBack}
        </button>
      ) : (
        <button type="button" className="button" onClick={() => void throwAway(selected)}>
          <Trash2 size={15} aria-hidden="true" /> {words.delete}
        </button>
      )}
      <button type="button" className="button plain" onClick={() => select([])}>
        <X size={15} aria-hidden="true" /> {words.clear}
      </button>
    </div>
  )
}
