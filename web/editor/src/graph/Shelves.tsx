import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { size, useModelShelf } from '../common/models'
import { useWords } from '../common/words'
import { Templates } from '../create/Templates'
import { useWorkflows } from '../create/workflows'
import { SearchField } from '../widgets/SearchField'
import style from './Graph.module.css'

/** The models that are here, by name. */
export function ModelList() {
  const { models } = useModelShelf()
  const { rail: words } = useWords()
  const [text, type] = useState('')
  const own = models.filter((one) => one.part_of === '')
  const found = own.filter((one) => `${one.name} ${one.kind}`.toLowerCase().includes(text.toLowerCase()))
  return (
    <>
      <SearchField label={words.findModel} says={words.amongModels(own.length)} text={text} type={type} />
      <ul className={style.list}>
        <li>
          <Link href="/models" className={style.node ?? ''}>
            <strong>{words.fetch}</strong>
          </Link>
        </li>
        {found.map((one) => (
          <li key={`${one.kind} ${one.name}`} className={style.node}>
            <strong>{one.name}</strong>
            <span className="muted small">
              {one.kind} · {size(one.bytes)}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

/** Workflows to begin with, by their pictures. */
export function TemplateList() {
  const { listed } = useWorkflows()
  const [, go] = useLocation()
  return <Templates listed={listed} choose={(name) => go(`/graph/${encodeURIComponent(name)}`)} />
}
