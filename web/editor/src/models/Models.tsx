import { useMemo, useState } from 'react'
import { size, useModelShelf, type Wish } from '../common/models'
import { useWords } from '../common/words'
import { SearchField } from '../widgets/SearchField'
import { Get, Progress } from './Get'
import style from './Models.module.css'

/** The models of this machine, and how others come to it. */
export function Models() {
  const { models, known, bytes, fetches, loaded } = useModelShelf()
  const { models: words } = useWords()
  const [text, type] = useState('')
  const [kind, setKind] = useState('')
  const [wish, setWish] = useState<Wish | null>(null)
  const kinds = useMemo(
    () => [...new Set([...models, ...known].map((one) => one.kind))].sort(),
    [models, known],
  )
  const fits = (one: { name: string; kind: string }) =>
    (kind === '' || one.kind === kind) && one.name.toLowerCase().includes(text.toLowerCase())
  const own = models.filter((one) => one.part_of === '')
  const here = models.filter((one) => fits(one) && (one.part_of === '' || kind === one.kind))
  const others = known.filter((one) => fits(one) && !models.some((model) => model.name === one.name))
  const going = Object.values(fetches).filter((one) => one.state !== 'done')
  return (
    <main className={style.page}>
      <header className={style.head}>
        <h1>{words.title}</h1>
        <p className="muted">{loaded ? words.here(own.length, size(bytes)) : words.looking}</p>
      </header>
      <form
        className={style.find}
        onSubmit={(event) => {
          event.preventDefault()
          setWish({ what: text.trim(), kind })
        }}
      >
        <SearchField
          label={words.find}
          says={words.findSays}
          text={text}
          type={(typed) => {
            type(typed)
            setWish(null)
          }}
        />
        <select
          className="field"
          aria-label={words.kind}
          value={kind}
          onChange={(event) => setKind(event.target.value)}
        >
          <option value="">{words.everyKind}</option>
          {kinds.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <button type="submit" className="button" disabled={text.trim() === ''}>
          {words.ask}
        </button>
      </form>
      {wish && (
        <section className={style.missing} aria-label={words.asked}>
          <h2>{wish.what}</h2>
          <Get key={`${wish.what} ${wish.kind}`} name={wish.what} wish={wish} />
        </section>
      )}
      {going.length > 0 && (
        <section aria-label={words.fetching} className={style.fetches}>
          <h2>{words.fetching}</h2>
          {going.map((one) => (
            <Progress key={one.id} id={one.id} />
          ))}
        </section>
      )}
      <table className={style.table}>
        <caption className="hidden">{words.list}</caption>
        <thead>
          <tr>
            <th scope="col">{words.name}</th>
            <th scope="col">{words.kind}</th>
            <th scope="col">{words.size}</th>
            <th scope="col">{words.from}</th>
          </tr>
        </thead>
        <tbody>
          {here.map((one) => (
            <tr key={`${one.kind} ${one.name}`}>
              <th scope="row">{one.name}</th>
              <td>{one.kind}</td>
              <td className={style.number}>{size(one.bytes)}</td>
              <td className="muted">{one.source}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {loaded && here.length === 0 && <p className="muted">{words.none}</p>}
      {others.length > 0 && (
        <>
          <h2>{words.others}</h2>
          <ul className={style.others}>
            {others.map((one) => (
              <li key={`${one.kind} ${one.name}`}>
                <button
                  type="button"
                  className={style.other}
                  onClick={() => {
                    type(one.name)
                    setWish({ what: one.name, kind: one.kind })
                  }}
                >
                  <strong>{one.name}</strong>
                  <span className="small muted">
                    {[one.kind, size(one.bytes), one.licence].filter(Boolean).join(' · ')}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </main>
  )
}
