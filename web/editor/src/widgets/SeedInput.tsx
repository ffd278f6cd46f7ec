import { Dices, Lock, LockOpen } from 'lucide-react'
import { useWords } from '../common/words'
import { IconButton } from './IconButton'
import type { WidgetProps } from './Widget'
import style from './widgets.module.css'

const LARGEST = 2 ** 32

/** A seed: a number that stays, or another one for every run. */
export function SeedInput({ id, value, onChange, describedBy }: WidgetProps) {
  const { widgets: words } = useWords()
  const random = value === 'random'
  return (
    <div className="spread">
      <input
        id={id}
        className={`field grow ${style.number}`}
        inputMode="numeric"
        value={random ? '' : String(value ?? 0)}
        placeholder={words.anotherSeed}
        aria-describedby={describedBy}
        onChange={(event) => {
          const given = Number(event.target.value.trim())
          if (event.target.value.trim() !== '' && Number.isSafeInteger(given) && given >= 0) onChange(given)
        }}
      />
      <IconButton
        label={words.roll}
        icon={Dices}
        className=""
        title={words.roll}
        onClick={() => onChange(Math.floor(Math.random() * LARGEST))}
      />
      <button
        type="button"
        className="button icon"
        aria-pressed={!random}
        title={random ? words.seedChanges : words.seedStays}
        aria-label={words.keepSeed}
        onClick={() => onChange(random ? Math.floor(Math.random() * LARGEST) : 'random')}
      >
        {random ? <LockOpen size={16} aria-hidden="true" /> : <Lock size={16} aria-hidden="true" />}
      </button>
    </div>
  )
}
