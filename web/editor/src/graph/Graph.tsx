import { Fragment, lazy, Suspense, useEffect, useRef } from 'react'
import { useLocation, useParams } from 'wouter'
import { useKeys } from '../common/actions'
import { NARROW, useMedia } from '../common/media'
import { useWords } from '../common/words'
import { ACTIONS, useCutting } from './actions'
import { ContextMenu } from './ContextMenu'
import { useCamera } from './camera'
import { take } from './drop'
import style from './Graph.module.css'
import { Inspector } from './Inspector'
import { Looking } from './Looking'
import { useLog } from './log'
import { setGroupTitle } from './model/commands'
import { trail } from './model/groups'
import { Naming } from './Naming'
import { Newer } from './Newer'
import { Painting } from './Painting'
import { Rail } from './Rail'
import { Search } from './Search'
import { SelectionBar } from './SelectionBar'
import { Sweep } from './Sweep'
import { enter, perform, useGraph } from './store'
import { Tabs } from './Tabs'
import { Toolbar } from './Toolbar'
import { arrive, fresh } from './tabs'
import { useTrouble } from './trouble'
import { Canvas } from './view/Canvas'

const Log = lazy(() => import('./Log').then(({ Log }) => ({ default: Log })))

/** What can be done while there is no workflow. */
const WITHOUT = ACTIONS.filter(({ id }) => id === 'new' || id === 'open-file' || id === 'close')

/** The graph of a workflow, to be drawn and run. */
export function Graph() {
  const { name = '' } = useParams<{ name?: string }>()
  const [state, said, shown, tab] = [
    useGraph((one) => one.state),
    useGraph((one) => one.said),
    useGraph((one) => one.name),
    useGraph((one) => one.tab),
  ]
  const [, go] = useLocation()
  const { graph: words, app, actions } = useWords()
  const logged = useLog((one) => one.open)
  const narrow = useMedia(NARROW)
  useKeys('graph', state === 'failed' ? WITHOUT : ACTIONS)
  useCutting()
  useTrouble()
  const address = useRef(name)
  address.current = name
  useEffect(() => {
    void arrive(name)
  }, [name])
  // The address follows the tab in front; that the tab follows the address is seen to above.
  useEffect(() => {
    if (state === 'ready' && tab && shown !== address.current)
      go(shown ? `/graph/${encodeURIComponent(shown)}` : '/graph', { replace: true })
  }, [shown, state, tab, go])
  return (
    <Painting>
      <main
        className={style.page}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          if (event.defaultPrevented) return
          event.preventDefault()
          void take(event.dataTransfer, useCamera.getState().camera?.under(event.clientX, event.clientY))
        }}
      >
        <h1 className="hidden">{words.title}</h1>
        <Rail />
        <section className={style.middle} aria-label={words.workflow}>
          <Tabs />
          {state !== 'failed' && <Toolbar />}
          <Newer />
          <Crumbs />
          {state === 'failed' ? (
            <div className={style.failed}>
              <p role="alert">{said}</p>
              <button type="button" className="button" onClick={() => void fresh()}>
                {actions.new}
              </button>
            </div>
          ) : (
            <div className={style.canvas}>
              <Canvas />
              <SelectionBar />
            </div>
          )}
          {logged && (
            <Suspense>
              <Log />
            </Suspense>
          )}
          {state === 'ready' && said && (
            <div role="alert" className={`problem ${style.said}`}>
              {said}
              <button type="button" className="button plain" onClick={() => useGraph.setState({ said: '' })}>
                {app.close}
              </button>
            </div>
          )}
        </section>
        {!narrow && <Inspector />}
        <Search />
        <Naming />
        <Sweep />
        <ContextMenu />
        <Looking />
      </main>
    </Painting>
  )
}

function Crumbs() {
  const group = useGraph((state) => state.group)
  const document = useGraph((state) => state.history.document)
  const { graph: words, edits } = useWords()
  if (group === '') return null
  const title = (name: string) =>
    name === '' ? document.title || words.workflow : document.groups?.[name]?.title || name
  return (
    <nav aria-label={words.where} className={style.crumbs}>
      {trail(document, group)
        .slice(0, -1)
        .map((name) => (
          <Fragment key={name}>
            <button type="button" className="button plain" onClick={() => enter(name)}>
              {title(name)}
            </button>
            <span aria-hidden="true">›</span>
          </Fragment>
        ))}
      <input
        key={group}
        className={`field ${style.crumb}`}
        aria-label={words.groupTitle}
        value={document.groups?.[group]?.title ?? ''}
        placeholder={group}
        onChange={(event) =>
          perform(edits.title, setGroupTitle(group, event.target.value), `title of ${group}`)
        }
      />
    </nav>
  )
}
