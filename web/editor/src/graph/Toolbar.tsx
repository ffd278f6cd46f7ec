import { Ellipsis, Redo2, Save, ScrollText, Undo2 } from 'lucide-react'
import { PHONE, useMedia } from '../common/media'
import { useWords } from '../common/words'
import { IconButton } from '../widgets/IconButton'
import { keysFor } from './actions'
import style from './Graph.module.css'
import { toggleLog, useLog } from './log'
import { openMenu } from './menu'
import { setTitle } from './model/commands'
import { write } from './model/document'
import { store } from './Naming'
import { Run } from './Run'
import { perform, redo, undo, useGraph } from './store'

/** What is done most: run, undo, save. */
export function Toolbar() {
  const { history, saved, name } = useGraph()
  const phone = useMedia(PHONE)
  const logged = useLog((state) => state.open)
  const { graph: words, edits, log } = useWords()
  const [done, undone] = [history.past.at(-1), history.future.at(-1)]
  const changed = write(history.document) !== saved
  return (
    <div className={style.toolbar} role="toolbar" aria-label={words.workflow}>
      <input
        className={`field ${style.title}`}
        aria-label={words.titleOf}
        value={history.document.title ?? ''}
        placeholder={words.untitled}
        onChange={(event) => perform(edits.title, setTitle(event.target.value), 'title')}
      />
      <IconButton
        label={words.undo}
        icon={Undo2}
        title={done ? words.undoOf(done.label) : words.noUndo}
        disabled={history.past.length === 0}
        onClick={undo}
      />
      <IconButton
        label={words.redo}
        icon={Redo2}
        title={undone ? words.redoOf(undone.label) : words.noRedo}
        disabled={history.future.length === 0}
        onClick={redo}
      />
      <button type="button" className="button plain" onClick={store} disabled={!changed && name !== ''}>
        <Save size={16} aria-hidden="true" />
        <span className={style.words}>{changed || name === '' ? words.save : words.saved}</span>
      </button>
      {phone ? (
        <IconButton
          label={words.more}
          icon={Ellipsis}
          aria-haspopup="menu"
          onClick={({ currentTarget }) => {
            const { left, bottom } = currentTarget.getBoundingClientRect()
            openMenu({ about: 'more', x: left, y: bottom + 4 })
          }}
        />
      ) : (
        <>
          <span style={{ flex: 1 }} />
          <IconButton
            label={log.title}
            icon={ScrollText}
            aria-pressed={logged}
            title={log.says(keysFor('log'))}
            onClick={toggleLog}
          />
        </>
      )}
      <Run />
    </div>
  )
}
