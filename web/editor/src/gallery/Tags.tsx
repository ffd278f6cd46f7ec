import { X } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import type { MadeView } from '../api/types'
import { useWords } from '../common/words'
import style from './Gallery.module.css'
import { change, useGallery } from './store'

/** The tags of a picture, and room for another. */
export function Tags({ item }: { item: MadeView }) {
  const known = useGallery((state) => state.filters.tags)
  const { details: words } = useWords()
  const [text, type] = useState('')
  const add = (event: FormEvent) => {
    event.preventDefault()
    const tag = text.trim().replace(/\s+/g, ' ')
    if (tag) void change([item.id], { tag: [tag] })
    type('')
  }
  return (
    <div className={style.tags}>
      <ul aria-label={words.tags}>
        {item.tags.map((tag) => (
          <li key={tag}>
            {tag}
            <button
              type="button"
              aria-label={words.takeTag(tag)}
              onClick={() => void change([item.id], { untag: [tag] })}
            >
              <X size={12} aria-hidden="true" />
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={add}>
        <input
          className="field"
          aria-label={words.addTag}
          placeholder={words.addTag}
          list="tags-there-are"
          maxLength={60}
          value={text}
          onChange={(event) => type(event.target.value)}
        />
        <datalist id="tags-there-are">
          {known.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </form>
    </div>
  )
}
