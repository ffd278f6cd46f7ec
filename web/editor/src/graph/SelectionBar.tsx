import {
  AlignHorizontalJustifyStart,
  AlignVerticalJustifyStart,
  Boxes,
  ChevronsDownUp,
  Copy,
  EyeOff,
  Frame,
  Network,
  Pin,
  Play,
  SkipForward,
  Trash2,
} from 'lucide-react'
import { useWords } from '../common/words'
import { keysOf, spelled } from '../settings/keys'
import { IconButton } from '../widgets/IconButton'
import { ACTIONS } from './actions'
import style from './Graph.module.css'
import { useGraph } from './store'

const BUTTONS = [
  ['run-to', Play],
  ['bypass', SkipForward],
  ['mute', EyeOff],
  ['collapse', ChevronsDownUp],
  ['pin', Pin],
  'first',
  ['frame', Frame],
  ['group', Boxes],
  ['layout', Network],
  ['align-left', AlignHorizontalJustifyStart],
  ['align-top', AlignVerticalJustifyStart],
  'second',
  ['duplicate', Copy],
  ['delete', Trash2],
] as const
const SEVERAL = new Set(['layout', 'align-left', 'align-top'])

/** What can be done with what is selected. */
export function SelectionBar() {
  const count = useGraph((state) => state.selected.length)
  const { graph: words, actions } = useWords()
  if (count === 0) return null
  return (
    <div role="toolbar" aria-label={words.selection} className={style.selection}>
      {count > 1 && <span className="small muted">{words.steps(count)}</span>}
      {BUTTONS.filter((one) => typeof one === 'string' || count > 1 || !SEVERAL.has(one[0])).map((one) => {
        if (typeof one === 'string') return <span key={one} className={style.divide} />
        const [id, Icon] = one
        const action = ACTIONS.find((each) => each.id === id)
        if (!action) return null
        const [first] = keysOf(action)
        const keys = first ? ` (${spelled(first)})` : ''
        return (
          <IconButton
            label={actions[id]}
            icon={Icon}
            key={id}
            title={`${actions[id]}${keys}`}
            onClick={() => void action.does()}
          />
        )
      })}
    </div>
  )
}
