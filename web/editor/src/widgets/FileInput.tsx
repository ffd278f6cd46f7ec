import { Brush, ImagePlus, X } from 'lucide-react'
import { lazy, Suspense, useContext, useState } from 'react'
import { Refused, url } from '../api/client'
import { upload } from '../common/files'
import { useWords } from '../common/words'
import { PaintContext } from '../mask/paint'
import { IconButton } from './IconButton'
import type { WidgetProps } from './Widget'
import style from './widgets.module.css'

const Painter = lazy(() => import('../mask/Painter'))

/** A picture or another file: dropped, pasted, chosen or painted. Its value is the id that the server gave it. */
export function FileInput({ id, value, onChange, describedBy }: WidgetProps) {
  const { pictures, masked } = useContext(PaintContext)
  const { widgets: words } = useWords()
  const [over, setOver] = useState(false)
  const [painting, paint] = useState(false)
  const [said, say] = useState('')
  const take = async (data: DataTransfer | null) => {
    const known = data?.getData('application/x-tessera-artifact')
    if (known) return onChange(known)
    const file = data?.files[0]
    if (file) await give(file)
  }
  const give = async (file: File) => {
    say(words.uploading)
    try {
      onChange((await upload(file)).id)
      say('')
    } catch (error) {
      say(error instanceof Refused ? error.message : words.notUploaded)
    }
  }
  const shown = typeof value === 'string' && value !== ''
  const mask = /mask/.test(id)
  const others = pictures.filter((one) => one !== value)
  const base = mask ? (others[0] ?? (shown ? value : undefined)) : shown ? value : others[0]
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the input inside is what can be reached; this only takes what is dropped
    <div
      className={style.drop}
      data-file
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        event.stopPropagation()
        setOver(false)
        void take(event.dataTransfer)
      }}
      onPaste={(event) => {
        if (event.clipboardData.files.length === 0) return
        event.stopPropagation()
        void take(event.clipboardData)
      }}
    >
      {shown && <img src={url(`/api/artifacts/${value}?size=256`)} alt={words.chosen} />}
      <label className={style.choose} htmlFor={id}>
        <ImagePlus size={16} aria-hidden="true" /> {shown ? words.another : words.drop}
      </label>
      <input
        id={id}
        type="file"
        className="hidden"
        aria-describedby={describedBy}
        onChange={(event) => event.target.files?.[0] && void give(event.target.files[0])}
      />
      {base && (mask || !masked) && (
        <button type="button" className="button plain" onClick={() => paint(true)}>
          <Brush size={16} aria-hidden="true" /> {words.paint}
        </button>
      )}
      {shown && <IconButton label={words.takeAway} icon={X} onClick={() => onChange(undefined)} />}
      <span role="status" className="small muted">
        {said}
      </span>
      {painting && base && (
        <Suspense>
          <Painter picture={base} alone={mask || base !== value} keep={onChange} close={() => paint(false)} />
        </Suspense>
      )}
    </div>
  )
}
