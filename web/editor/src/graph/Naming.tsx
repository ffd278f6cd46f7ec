import { useEffect, useRef } from 'react'
import { create } from 'zustand'
import { useWords } from '../common/words'
import { say } from './actions'
import { freeName, isName } from './model/document'
import { save, useGraph } from './store'
import style from './Tabs.module.css'
import { rename } from './workflows'

interface Asked {
  /** For what a name is wanted: to save what is open, or to rename a workflow of the library. */
  asked: { of: string; rename: boolean } | null
}
const useAsked = create<Asked>(() => ({ asked: null }))

/** Ask for a name to save what is open under. */
export function askName(): void {
  useAsked.setState({ asked: { of: useGraph.getState().name, rename: false } })
}

export function askRename(of: string): void {
  useAsked.setState({ asked: { of, rename: true } })
}

/** Save under the name that it has, or ask for one. */
export function store(): void {
  if (useGraph.getState().name) void save().catch(say)
  else askName()
}

export function Naming() {
  const { asked } = useAsked()
  const { naming: words } = useWords()
  const title = useGraph((state) => state.history.document.title ?? '')
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (asked) dialog.current?.showModal()
  }, [asked])
  if (!asked) return null
  const offered = asked.of || freeName(title.toLowerCase(), {})
  const done = () => useAsked.setState({ asked: null })
  return (
    <dialog ref={dialog} className={style.dialog} aria-labelledby="naming" onClose={done}>
      <form
        method="dialog"
        onSubmit={(event) => {
          const given = String(new FormData(event.currentTarget).get('name') ?? '').trim()
          if (!isName(given) || (asked.rename && given === asked.of)) return
          void (asked.rename ? rename(asked.of, given) : save(given)).catch(say)
        }}
      >
        <h2 id="naming">{asked.rename ? words.rename(asked.of) : words.save}</h2>
        <input
          name="name"
          className="field"
          aria-label={words.name}
          defaultValue={offered}
          pattern="[A-Za-z_][A-Za-z0-9_\-]{0,63}"
          required
          title={words.rule}
        />
        <div className="spread">
          <button type="submit" className="button main">
            {asked.rename ? words.doRename : words.doSave}
          </button>
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            {words.notNow}
          </button>
        </div>
      </form>
    </dialog>
  )
}
