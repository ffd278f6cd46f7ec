import { useEffect, useRef } from 'react'
import { useOverlay } from '../common/actions'
import { useWords } from '../common/words'
import style from './Overlays.module.css'

/** Stands in for the palette until it is fetched, and keeps what is typed and entered meanwhile. */
export function Opening() {
  const { palette, actions } = useWords()
  const { entered } = useOverlay()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      className={style.overlay}
      aria-label={actions.palette}
      onCancel={() => useOverlay.setState({ overlay: null })}
    >
      <input
        className={`field ${style.query}`}
        aria-label={actions.palette}
        placeholder={palette.placeholder}
        readOnly={entered}
        onChange={(event) => useOverlay.setState({ typed: event.target.value })}
        onKeyDown={({ key }) => key === 'Enter' && useOverlay.setState({ entered: true })}
      />
    </dialog>
  )
}
