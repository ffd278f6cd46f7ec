import { X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { IconButton } from '../widgets/IconButton'
import style from './Toasts.module.css'
import { hush, useToast } from './toast'
import { useWords } from './words'

const SHOWN = 10_000 // milliseconds, which stop while somebody is at it

/** The place where the app says what it did. */
export function Toasts() {
  const toast = useToast((state) => state.toast)
  const { app: words } = useWords()
  const [held, hold] = useState(false)
  useEffect(() => {
    if (!toast || held) return
    const timer = setTimeout(hush, SHOWN)
    return () => clearTimeout(timer)
  }, [toast, held])
  return (
    <div role="status" className={style.place}>
      {toast && (
        // biome-ignore lint/a11y/noStaticElementInteractions: being near it only keeps it from going
        <div
          className={style.toast}
          onMouseEnter={() => hold(true)}
          onMouseLeave={() => hold(false)}
          onFocus={() => hold(true)}
          onBlur={() => hold(false)}
        >
          <span>{toast.said}</span>
          {toast.word && (
            <button
              type="button"
              className="button"
              onClick={() => {
                hush()
                hold(false)
                void toast.does?.()
              }}
            >
              {toast.word}
            </button>
          )}
          <IconButton label={words.close} icon={X} onClick={hush} />
        </div>
      )}
    </div>
  )
}
