import { useMemo, useState } from 'react'
import { useModelShelf } from '../common/models'
import { usePalette } from '../common/palette'
import { useWords } from '../common/words'
import type { Document } from '../graph/model/document'
import { named, request, unknown, type Wanted, wanted, where } from '../graph/model/models'
import { Get } from './Get'
import style from './Models.module.css'

/** The models that a workflow wants and that are not here; `chosen` are names that a form gives instead. */
export function useMissing(document: Document | undefined, chosen: Record<string, string> = {}): Wanted[] {
  const { models, known, loaded } = useModelShelf()
  const nodes = usePalette((state) => state.nodes)
  return useMemo(() => {
    if (!document || !loaded || nodes.size === 0) return []
    const all = named(document, nodes).map((one) => {
      const other = one.group === '' ? chosen[`${one.step}.${one.input}`] : undefined
      return other === undefined ? one : { ...one, name: other }
    })
    return wanted(all, models, known)
  }, [document, nodes, models, known, loaded, chosen])
}

interface Props {
  models: Wanted[]
  document?: Document
  /** Name another model wherever this one is named. */
  use?: (one: Wanted, name: string) => void
}

/** What is missing, where it comes from, how large it is, and a button that fetches it. */
export function Missing({ models, document, use }: Props) {
  const { nodes, failed } = usePalette()
  const { missing: words } = useWords()
  const strange = useMemo(() => (document ? unknown(document, nodes) : []), [document, nodes])
  if (models.length + strange.length === 0) return null
  return (
    <section className={style.missing} aria-label={words.title}>
      {models.map((one) => (
        <article key={`${one.kind} ${one.name}`}>
          <h3>
            {one.name}{' '}
            <span className="small muted">{words.wanted(one.kind, one.by.map(where).join(', '))}</span>
          </h3>
          <Way one={one} use={use && ((name) => use(one, name))} />
        </article>
      ))}
      {strange.map((one) => (
        <article key={one.node}>
          <h3>
            {one.node} <span className="small muted">{words.used(one.by.join(', '))}</span>
          </h3>
          <p className="small">
            {failed.find(({ pack }) => pack === one.pack)
              ? words.broken(one.pack, failed.find(({ pack }) => pack === one.pack)?.reason ?? '')
              : one.pack
                ? words.ofPack(one.pack)
                : words.later}
          </p>
        </article>
      ))}
    </section>
  )
}

/** How a model comes here: by what is known of it, or from where a person says. */
function Way({ one, use }: { one: Wanted; use: ((name: string) => void) | undefined }) {
  const known = request(one)
  const { missing: words } = useWords()
  const [from, setFrom] = useState('')
  if (one.name.startsWith('starter')) return <p className="small">{words.starter}</p>
  if (known) return <Get name={one.name} wish={known} {...(use ? { use } : {})} />
  return (
    <form
      className={style.where}
      onSubmit={(event) => {
        event.preventDefault()
        setFrom(String(new FormData(event.currentTarget).get('from') ?? '').trim())
      }}
    >
      {from ? (
        <Get name={one.name} wish={{ what: from, kind: one.kind, name: one.name }} />
      ) : (
        <>
          <label className="small muted" htmlFor={`from-${one.name}`}>
            {words.unknown}
          </label>
          <div className="spread">
            <input id={`from-${one.name}`} name="from" className="field grow" required />
            <button type="submit" className="button">
              {words.ask}
            </button>
          </div>
        </>
      )}
    </form>
  )
}
