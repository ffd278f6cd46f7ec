import { useEffect, useMemo, useRef, useState } from 'react'
import { live } from '../api/live'
import { ago } from '../common/typical'
import { useWords } from '../common/words'
import { useWorkflows } from '../create/workflows'
import { say } from './actions'
import { Differences } from './Differences'
import { freeName, read } from './model/document'
import { dirty, fetchNewer, overwriteNewer, save, takeNewer, useGraph } from './store'
import style from './Tabs.module.css'
import { bringBack, forgetLeft, useTabs } from './tabs'

/** What others did to the workflow in front: nothing of it, and nothing of what is here, goes unseen. */
export function Newer() {
  const { versions: words } = useWords()
  const newer = useGraph((state) => state.newer)
  const left = useTabs((state) => state.left)
  const name = useGraph((state) => state.name)
  const [compared, compare] = useState(false)
  useEffect(() => compare(newer?.asked ?? false), [newer])
  useOthers()
  if (newer)
    return (
      <>
        <div role="status" className={style.note}>
          <p>{words.newer}</p>
          <button type="button" className="button" onClick={() => compare(true)}>
            {words.compare}
          </button>
        </div>
        {compared && <Choose done={() => compare(false)} />}
      </>
    )
  if (left && left.name === name)
    return (
      <div role="status" className={style.note}>
        <p>{words.left(ago(left.saved))}</p>
        <button type="button" className="button" onClick={() => void bringBack(left).catch(say)}>
          {words.bringBack}
        </button>
        <button type="button" className="button plain" onClick={() => void forgetLeft(left).catch(say)}>
          {words.drop}
        </button>
      </div>
    )
  return null
}

/** Hear of saves by other windows. */
function useOthers(): void {
  useEffect(
    () =>
      live.listen({
        event: ({ kind, data }) => {
          const { name, etag } = useGraph.getState()
          if (kind !== 'workflow.saved' || data.name !== name || `"${data.etag}"` === etag) return
          setTimeout(() => {
            const now = useGraph.getState() // it may be our own, whose answer came meanwhile
            if (now.name !== data.name || `"${data.etag}"` === now.etag) return
            void fetchNewer()
              .then(() => !dirty(useGraph.getState()) && takeNewer())
              .catch(say)
          }, 500)
        },
      }),
    [],
  )
}

function Choose({ done }: { done: () => void }) {
  const { versions: words } = useWords()
  const { newer, saved, name, history } = useGraph()
  const { listed } = useWorkflows()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  const [base, theirs] = useMemo(() => [read(saved), read(newer?.text ?? saved)], [saved, newer])
  const copy = freeName(`${name}_copy`, Object.fromEntries(listed.map((one) => [one.name, true])))
  return (
    <dialog ref={dialog} className={style.dialog} aria-labelledby="newer" onClose={done}>
      <div className={style.both}>
        <h2 id="newer">{words.meantime}</h2>
        <section>
          <h3>{words.theirs}</h3>
          <Differences from={base} to={theirs} label={words.theirs} />
        </section>
        <section>
          <h3>{words.yours}</h3>
          <Differences from={base} to={history.document} label={words.yours} />
        </section>
        <div className={style.actions}>
          <button
            type="button"
            className="button main"
            onClick={() => {
              dialog.current?.close()
              void save(copy).catch(say)
            }}
          >
            {words.keepCopy}
          </button>
          <button
            type="button"
            className="button"
            title={words.takeSays}
            onClick={() => {
              dialog.current?.close()
              takeNewer()
            }}
          >
            {words.take}
          </button>
          <button
            type="button"
            className="button"
            title={words.overwriteSays}
            onClick={() => {
              dialog.current?.close()
              void overwriteNewer().catch(say)
            }}
          >
            {words.overwrite}
          </button>
          <button type="button" className="button plain" onClick={() => dialog.current?.close()}>
            {words.later}
          </button>
        </div>
      </div>
    </dialog>
  )
}
