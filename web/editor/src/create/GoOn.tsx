import { useEffect, useRef } from 'react'
import { useWords } from '../common/words'
import style from './Create.module.css'
import { Templates } from './Templates'
import { takesPicture, useWorkflows } from './workflows'

interface Props {
  choose: (app: string) => void
  close: () => void
}

/** What can be done with a picture: every app that takes one. */
export function GoOn({ choose, close }: Props) {
  const { listed } = useWorkflows()
  const { result: words, app } = useWords()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className={style.dialog} aria-label={words.goOn} onClose={close}>
      <div className="spread">
        <h2 className="grow">{words.whatNext}</h2>
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          {app.close}
        </button>
      </div>
      <Templates
        listed={listed}
        only={(name) => takesPicture(listed, name)}
        choose={(name) => {
          dialog.current?.close()
          choose(name)
        }}
      />
    </dialog>
  )
}
