import { X } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react'
import { IconButton } from '../widgets/IconButton'
import style from './Overlay.module.css'
import { useWords } from './words'

interface Props {
  title: string
  close: () => void
  /** Beside the title. */
  tools?: ReactNode
  onKeyDown?: (event: KeyboardEvent) => void
  children: ReactNode
}

/** Something that takes the whole window until it is closed. */
export function Overlay({ title, close, tools, onKeyDown, children }: Props) {
  const { app: words } = useWords()
  const place = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = place.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={place}
      className={style.overlay}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onKeyDown={onKeyDown}
    >
      <header className={style.head}>
        <h2>{title}</h2>
        {tools}
        <IconButton label={words.close} icon={X} size={18} onClick={close} />
      </header>
      <div className={style.body}>{children}</div>
    </dialog>
  )
}
