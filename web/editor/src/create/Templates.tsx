import { useEffect, useMemo, useState } from 'react'
import { create } from 'zustand'
import { ask, url } from '../api/client'
import type { Template } from '../api/types'
import { useWords, words } from '../common/words'
import { SearchField } from '../widgets/SearchField'
import style from './Templates.module.css'
import type { Listed } from './workflows'

const FIRST = [
  'text_to_image',
  'image_to_image',
  'redraw_what_is_painted',
  'variations',
  'enlarge',
  'pose_a_figure',
]

const useShelf = create<{ templates: Template[]; asked: boolean }>(() => ({ templates: [], asked: false }))

export function useTemplates(): Template[] {
  useEffect(() => {
    if (useShelf.getState().asked) return
    useShelf.setState({ asked: true })
    void ask<{ templates: Template[] }>('/api/templates').then(({ templates }) =>
      useShelf.setState({ templates }),
    )
  }, [])
  return useShelf((state) => state.templates)
}

interface Card {
  name: string
  title: string
  section: string
  says: string
  pictured: boolean
}

/** Every app, those of one's own first, then what comes along, by what it is for. */
export function cards(templates: readonly Template[], listed: readonly Listed[]): Card[] {
  const shipped = new Map(templates.map((one) => [one.name, one]))
  const apps = listed.filter((one) => one.published)
  const own = apps.filter((one) => !shipped.has(one.name))
  const titled = new Map(apps.map((one) => [one.name, one.title]))
  return [
    ...own.map(({ name, title }) => ({
      name,
      title: title || name,
      section: words().create.yours,
      says: '',
      pictured: false,
    })),
    ...templates.flatMap((one) =>
      titled.has(one.name) ? [{ ...one, title: titled.get(one.name) || one.title }] : [],
    ),
  ]
}

interface Props {
  listed: readonly Listed[]
  choose: (name: string) => void
  /** Only these, if something particular is to be done. */
  only?: (name: string) => boolean
}

/** All apps with pictures, by section; a word finds one. */
export function Templates({ listed, choose, only }: Props) {
  const templates = useTemplates()
  const { create: says } = useWords()
  const [text, type] = useState('')
  const found = useMemo(() => {
    const sought = text.toLowerCase().split(/\s+/)
    const all = cards(templates, listed).filter((one) => only?.(one.name) ?? true)
    return all.filter((one) => {
      const about = `${one.title} ${one.name} ${one.says} ${one.section}`.toLowerCase()
      return sought.every((word) => about.includes(word))
    })
  }, [templates, listed, text, only])
  const titles = [...new Set(found.map((one) => one.section))]
  return (
    <div className={style.all}>
      <SearchField label={says.findApp} says={says.findAmong(found.length)} text={text} type={type} />
      <div className={style.scroll}>
        {titles.map((title) => (
          <section key={title} aria-label={title}>
            <h3>{title}</h3>
            <ul className={style.grid}>
              {found
                .filter((one) => one.section === title)
                .map((one) => (
                  <li key={one.name}>
                    <Tile one={one} choose={choose} />
                  </li>
                ))}
            </ul>
          </section>
        ))}
        {found.length === 0 && <p className="muted">{says.noApp}</p>}
      </div>
    </div>
  )
}

/** A few to begin with. */
export function FirstFew({ listed, choose }: Props) {
  const templates = useTemplates()
  const found = cards(templates, listed).filter((one) => FIRST.includes(one.name))
  return (
    <ul className={style.few} aria-label={useWords().create.begin}>
      {found.map((one) => (
        <li key={one.name}>
          <Tile one={one} choose={choose} />
        </li>
      ))}
    </ul>
  )
}

function Tile({ one, choose }: { one: Card; choose: (name: string) => void }) {
  return (
    <button
      type="button"
      className={style.tile}
      title={one.says || undefined}
      onClick={() => choose(one.name)}
    >
      {one.pictured ? (
        <img src={url(`/api/templates/${one.name}/picture`)} alt="" loading="lazy" />
      ) : (
        <span className={style.letter} aria-hidden="true">
          {one.title.slice(0, 1)}
        </span>
      )}
      <strong>{one.title}</strong>
    </button>
  )
}
