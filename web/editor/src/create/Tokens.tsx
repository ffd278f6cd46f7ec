import { useEffect, useState } from 'react'
import { ask } from '../api/client'
import type { Count } from '../api/types'
import { useModels } from '../common/models'
import { useWords } from '../common/words'
import style from './Create.module.css'

const WAIT = 200 // milliseconds without a key

/** How long a prompt is for the model that will read it, counted by that model's own tokenizer. */
export function Tokens({ text, model }: { text: string; model: string }) {
  const here = useModels('model').some((one) => one.name === model)
  const { create: words } = useWords()
  const [count, setCount] = useState<Count | null>(null)
  useEffect(() => {
    if (!here) return setCount(null)
    const stop = new AbortController()
    const timer = setTimeout(() => {
      ask<Count>('/api/tokens', { method: 'POST', body: { text, model }, signal: stop.signal })
        .then(setCount)
        .catch(() => !stop.signal.aborted && setCount(null)) // a model that is not here, or brings no words
    }, WAIT)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [text, model, here])
  if (!count) return null
  const most = count.limit * count.parts
  const says = count.parts > 1 ? words.inParts(count.parts) : words.tokensSay
  return (
    <span className={style.tokens} data-over={count.parts > 1} title={says}>
      {words.tokens(most > 0 ? `${count.tokens} / ${most}` : `${count.tokens}`)}
    </span>
  )
}
