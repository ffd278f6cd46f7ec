import { Command } from 'cmdk'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { type Action, isShown, PARTS, type Page, possible, useOverlay } from '../common/actions'
import { usePalette } from '../common/palette'
import { useSearch } from '../common/search'
import { useWords } from '../common/words'
import { useWorkflows } from '../create/workflows'
import { useCamera } from '../graph/camera'
import { type NodeSpec, summary } from '../graph/model/nodes'
import { keysOf, spelled } from '../settings/keys'
import { ALL } from './all'
import style from './Overlays.module.css'

/** What opens over every page: everything to be found, and the keys. */
export default function Overlays() {
  const { overlay } = useOverlay()
  const { actions } = useWords()
  const dialog = useRef<HTMLDialogElement>(null)
  const close = () => useOverlay.setState({ overlay: null })
  useEffect(() => {
    if (!overlay) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector('input')?.focus()
  }, [overlay])
  return (
    <dialog
      ref={dialog}
      className={style.overlay}
      aria-label={actions[overlay ?? 'palette']}
      onClose={close}
      onPointerDown={(event) => event.target === dialog.current && close()}
    >
      {overlay === 'palette' && <Everything close={close} />}
      {overlay === 'keys' && <Keys close={close} />}
    </dialog>
  )
}

const MOST = 12

function Everything({ close }: { close: () => void }) {
  const { nodes, loaded } = usePalette()
  const { entered } = useOverlay()
  const drawn = useCamera((state) => state.camera !== null)
  const { listed } = useWorkflows()
  const { palette: words, actions: titles } = useWords()
  const [, go] = useLocation()
  const [text, type] = useState(useOverlay.getState().typed)
  const all = useMemo(() => (drawn ? [...nodes.values()] : []), [drawn, nodes])
  const found = useSearch(all, text)
  const has = (words: string) =>
    text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => words.toLowerCase().includes(word))
  const actions = ALL.filter(
    (one) => one.id !== 'palette' && one.part !== 'Move' && possible(one) && has(titles[one.id]),
  ).sort((one, other) => Number(one.page === 'everywhere') - Number(other.page === 'everywhere'))
  const workflows = listed.filter(({ title, name }) => has(`${title} ${name}`))
  const openWorkflow = (name: string) => go(`/graph/${encodeURIComponent(name)}`)
  const pick = (does: () => unknown) => () => {
    close()
    void does()
  }
  const [action, node, workflow] = [actions[0], found[0], workflows[0]]
  const first =
    action?.does ?? (node && (() => add(node))) ?? (workflow && (() => openWorkflow(workflow.name)))
  useEffect(() => {
    if (!entered || !(first || loaded)) return
    useOverlay.setState({ entered: false })
    if (first) pick(first)()
  })
  return (
    <Command shouldFilter={false} loop label={titles.palette}>
      <Command.Input
        autoFocus
        className={`field ${style.query}`}
        placeholder={words.placeholder}
        value={text}
        readOnly={entered}
        onValueChange={type}
        onKeyDown={({ key }) => key === 'Enter' && !first && useOverlay.setState({ entered: true })}
      />
      <Command.List className={style.found}>
        <Command.Empty className="muted">{words.none}</Command.Empty>
        {actions.length > 0 && (
          <Command.Group heading={words.do}>
            {actions.slice(0, text ? 8 : 6).map((action) => (
              <Command.Item key={action.id} value={`do ${action.id}`} onSelect={pick(action.does)}>
                <span className={style.grow}>{titles[action.id]}</span>
                {keysOf(action)[0] && <kbd>{spelled(keysOf(action)[0] ?? '')}</kbd>}
              </Command.Item>
            ))}
          </Command.Group>
        )}
        {found.length > 0 && (
          <Command.Group heading={words.add}>
            {found.slice(0, MOST).map((spec) => (
              <Command.Item key={spec.id} value={`add ${spec.id}`} onSelect={pick(() => add(spec))}>
                <span>{spec.title}</span>
                <span className={`muted small ${style.grow}`}>{summary(spec)}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
        {workflows.length > 0 && (
          <Command.Group heading={words.open}>
            {workflows.slice(0, MOST).map(({ name, title }) => (
              <Command.Item key={name} value={`open ${name}`} onSelect={pick(() => openWorkflow(name))}>
                <span className={style.grow}>{title || name}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
      </Command.List>
    </Command>
  )
}

async function add(spec: NodeSpec): Promise<void> {
  const { place } = await import('../graph/Search')
  const middle = useCamera.getState().camera?.middle()
  if (middle) place(spec, middle, usePalette.getState().nodes)
}

const PAGES: readonly Page[] = ['everywhere', 'create', 'gallery', 'viewer', 'mask']

function Keys({ close }: { close: () => void }) {
  const { actions: titles, parts, pages, mouse, app } = useWords()
  const told = ALL.filter((one) => keysOf(one).length > 0 || one.id in mouse)
  const of = (page: Page) => told.filter((one) => one.page === page)
  const sections = [
    ...PARTS.map((part) => ({
      title: `${pages.graph} · ${parts[part]}`,
      of: of('graph').filter((one) => one.part === part),
    })),
    ...PAGES.map((page) => ({ title: pages[page], of: of(page) })),
  ]
  const here = (one: { of: Action[] }) => one.of.some((action) => isShown(action.page))
  return (
    <div className={style.keys}>
      <header className="spread">
        <h2 className="grow">{titles.keys}</h2>
        <button type="button" className="button" onClick={close}>
          {app.close}
        </button>
      </header>
      <div className={style.parts}>
        {[...sections.filter(here), ...sections.filter((one) => !here(one))].map((one) => (
          <Part key={one.title} {...one} />
        ))}
      </div>
    </div>
  )
}

function Part({ title, of }: { title: string; of: readonly Action[] }) {
  const words = useWords()
  const mouse: Partial<Record<string, string>> = words.mouse
  if (of.length === 0) return null
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <dl>
        {of.map((action) => (
          <div key={action.id}>
            <dt>
              {words.actions[action.id]}
              {mouse[action.id] && <span className="muted small"> · {mouse[action.id]}</span>}
            </dt>
            <dd>
              {keysOf(action)
                .filter((keys) => !/^Shift\+[?+]$/.test(keys))
                .slice(0, 2)
                .map((keys) => (
                  <kbd key={keys}>{spelled(keys)}</kbd>
                ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
