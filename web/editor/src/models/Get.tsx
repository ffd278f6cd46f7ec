import { Download, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Refused } from '../api/client'
import type { Offered } from '../api/types'
import { bring, leave, offered, size, useModelShelf, type Wish } from '../common/models'
import { useWords, words } from '../common/words'
import { IconButton } from '../widgets/IconButton'
import style from './Models.module.css'

interface Props {
  wish: Wish
  /** What it is called where it is missing. */
  name: string
  /** Take it under the name that it got here, where that is another one. */
  use?: (name: string) => void
}

/** One button that fetches a model: its source is asked first, so that size and licence are read before. */
export function Get({ wish, name, use }: Props) {
  const { fetches, known } = useModelShelf()
  const { fetching: says } = useWords()
  const [turn, again] = useState(0)
  const [offer, setOffer] = useState<Offered | null>(null)
  const [id, setId] = useState('')
  const [said, say] = useState('')
  const asking = !offer && said === ''
  const { what, kind = null, name: called = '' } = wish
  // biome-ignore lint/correctness/useExhaustiveDependencies: another turn asks again
  useEffect(() => {
    let here = true
    setOffer(null)
    say('')
    offered({ what, kind, name: called })
      .then((found) => {
        if (!here) return
        setOffer(found)
        say('')
      })
      .catch((error) => here && say(error instanceof Refused ? error.message : words().fetching.silent))
    return () => {
      here = false
    }
  }, [what, kind, called, turn])
  const now =
    fetches[id] ??
    Object.values(fetches).find((one) => one.source === offer?.source && one.state === 'running')
  const short = known.find((one) => one.name === what)
  const go = async () => {
    if (!offer) return
    say('')
    try {
      setId(await bring({ what, kind, name: called }, offer.licence))
    } catch (error) {
      say(error instanceof Refused ? error.message : says.failed)
    }
  }
  if (now && ['waiting', 'running'].includes(now.state)) return <Progress id={now.id} />
  return (
    <div className={style.get}>
      {!offer && short && (
        <p className="small muted">
          {[short.source, size(short.bytes), short.licence].filter(Boolean).join(' · ')}
        </p>
      )}
      {offer && (
        <p className="small muted">
          {offer.source} · {offer.licence || says.noLicence}
          {offer.gated && ` · ${says.gated}`}
          {offer.converted && ` · ${says.converted}`}
        </p>
      )}
      <p role="status" className={said ? `small ${style.bad}` : 'small muted'}>
        {now?.state === 'failed' ? `${says.failed} ${now.problem?.remedy ?? ''}` : said}
        {asking && says.asking}
        {now?.state === 'done' && (now.name === name ? says.done(name) : says.doneAs(name, now.name))}
      </p>
      {now?.state === 'done' && now.name !== name && use && (
        <button type="button" className="button" onClick={() => use(now.name)}>
          {says.use(now.name)}
        </button>
      )}
      {!offer && said && (
        <button type="button" className="button" onClick={() => again(turn + 1)}>
          {says.again}
        </button>
      )}
      {now?.state !== 'done' && (offer || asking) && (
        <button type="button" className="button main" disabled={!offer} onClick={() => void go()}>
          <Download size={16} aria-hidden="true" /> {says.get(name)}
          {offer && (
            <span className={style.terms}>
              {[size(offer.bytes), offer.licence].filter(Boolean).join(', ')}
            </span>
          )}
        </button>
      )}
    </div>
  )
}

/** How far a fetch is, and a button that stops it. */
export function Progress({ id }: { id: string }) {
  const one = useModelShelf().fetches[id]
  const { fetching: words } = useWords()
  if (!one) return null
  const going = ['waiting', 'running'].includes(one.state)
  return (
    <div className={style.going}>
      <span className="grow">
        {one.name}{' '}
        <span className="small muted">
          {going ? words.way(size(one.bytes) || '0 MB', size(one.total)) : words.states[one.state]}
        </span>
      </span>
      {going && (
        <>
          <progress value={one.total ? one.bytes / one.total : 0} aria-label={words.how(one.name)} />
          <IconButton label={words.stop(one.name)} icon={X} onClick={() => void leave(id)} />
        </>
      )}
      {one.state === 'failed' && <span className="small">{one.problem?.remedy}</span>}
    </div>
  )
}
