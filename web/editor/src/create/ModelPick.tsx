import { ChevronDown } from 'lucide-react'
import { useRef } from 'react'
import { Link } from 'wouter'
import { url } from '../api/client'
import { filesOf } from '../common/files'
import { size, useModels } from '../common/models'
import { useRuns } from '../common/runs'
import { useWords } from '../common/words'
import style from './Create.module.css'

interface Props {
  id: string
  kind: string
  value: string
  choose: (name: string) => void
}

/** Which model draws: a small picture that it made, its name, and the others behind a click. */
export function ModelPick({ id, kind, value, choose }: Props) {
  const models = useModels(kind)
  const { create: words, app } = useWords()
  const dialog = useRef<HTMLDialogElement>(null)
  const take = (name: string) => {
    choose(name)
    dialog.current?.close()
  }
  const known = models.find((one) => one.name === value)
  return (
    <>
      <button
        id={id}
        type="button"
        className={style.model}
        aria-haspopup="dialog"
        aria-labelledby={`${id}-label ${id}`}
        onClick={() => dialog.current?.showModal()}
      >
        <Made by={value} />
        <span className="grow">{value || words.none}</span>
        <span className="small muted">{known ? size(known.bytes) : words.notHere}</span>
        <ChevronDown size={16} aria-hidden="true" />
      </button>
      <dialog ref={dialog} className={`${style.dialog} ${style.low}`} aria-label={words.chooseModel}>
        <div className="spread">
          <h2 className="grow">{words.whichModel}</h2>
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            {app.close}
          </button>
        </div>
        <ul className={style.models}>
          {models.map((one) => (
            <li key={one.name}>
              <button
                type="button"
                className={style.model}
                aria-pressed={one.name === value}
                onClick={() => take(one.name)}
              >
                <Made by={one.name} />
                <span className="grow">{one.name}</span>
                <span className="small muted">{size(one.bytes)}</span>
              </button>
            </li>
          ))}
        </ul>
        <p className="small muted">
          {words.more} <Link href="/models">{words.fetchModels}</Link>
          {words.orFolder}
        </p>
      </dialog>
    </>
  )
}

/** The newest picture that a model made here, or its first letter. */
function Made({ by }: { by: string }) {
  const picture = useRuns((state) => {
    const run = state.order
      .map((id) => state.runs[id])
      .find(
        (one) =>
          one && (one.inputs.model ?? 'starter') === by && filesOf(one.outputs)[0]?.mime.startsWith('image/'),
      )
    return run ? (filesOf(run.outputs)[0]?.url ?? null) : null
  })
  return (
    <span className={style.made} aria-hidden="true">
      {picture ? <img src={url(`${picture}?size=256`)} alt="" /> : by.slice(0, 1).toUpperCase()}
    </span>
  )
}
