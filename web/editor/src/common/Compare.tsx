import { type CSSProperties, useState } from 'react'
import { url } from '../api/client'
import style from './Compare.module.css'
import { Overlay } from './Overlay'
import { useWords } from './words'

export interface Compared {
  url: string
  /** What it is called under the slider. */
  title: string
  width?: number
  height?: number
}

interface Props {
  first: Compared
  second: Compared
}

/** Two pictures over each other, with an edge between them that is moved by mouse, touch or arrow keys. */
export function Compare({ first, second }: Props) {
  const { compare: words } = useWords()
  const [at, move] = useState(50)
  const [natural, measure] = useState(1)
  const known = first.width && first.height ? first : second
  const shape = known.width && known.height ? known.width / known.height : natural
  return (
    <figure className={style.compare}>
      <div className={style.stage} style={{ '--shape': shape } as CSSProperties}>
        <img
          src={url(second.url)}
          alt={words.right(second.title)}
          draggable={false}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            naturalHeight && measure(naturalWidth / naturalHeight)
          }
        />
        <img
          src={url(first.url)}
          alt={words.left(first.title)}
          draggable={false}
          style={{ clipPath: `inset(0 ${100 - at}% 0 0)` }}
        />
        <span className={style.edge} style={{ left: `${at}%` }} aria-hidden="true" />
        <input
          type="range"
          min={0}
          max={100}
          step={1}
          value={at}
          aria-label={words.how}
          aria-valuetext={`${at} %`}
          className={style.slider}
          onChange={(event) => move(Number(event.target.value))}
        />
      </div>
      <figcaption className={style.names}>
        <span>{first.title}</span>
        <span>{second.title}</span>
      </figcaption>
    </figure>
  )
}

/** The same over the whole window. */
export function CompareOverlay({ first, second, close }: Props & { close: () => void }) {
  return (
    <Overlay title={useWords().compare.title} close={close}>
      <div className={style.room}>
        <Compare first={first} second={second} />
      </div>
    </Overlay>
  )
}
