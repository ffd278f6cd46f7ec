/** What can be done on the page Graph. */
import { useEffect } from 'react'
import type { Action } from '../common/actions'
import { cancel } from '../common/runs'
import { words } from '../common/words'
import { keysOf, parts } from '../settings/keys'
import { useCamera } from './camera'
import {
  chosen,
  dissolve,
  duplicate,
  each,
  flag,
  frame,
  groupChosen,
  groupUp,
  line,
  nudge,
  placeOf,
  remove,
  spread,
  stepOf,
  tidy,
  tint,
  toggle,
  walk,
} from './chosen'
import { copied, paste } from './clipboard'
import { toggleLog } from './log'
import { look, pictureOf } from './look'
import { reveal } from './lying'
import { type Asked, openMenu } from './menu'
import * as commands from './model/commands'
import { graphAt, split } from './model/document'
import { askName, store } from './Naming'
import { runNow } from './running'
import { askSweep } from './Sweep'
import { copyLink, download, openFile } from './share'
import { currentDocument, enter, leave, perform, redo, select, undo, useGraph, whereIs } from './store'
import { close, fresh } from './tabs'
import { loosen } from './view/hands'
import { offer } from './view/offer'

const state = useGraph.getState

const COLOURS = {
  none: '',
  red: '#d9534f',
  orange: '#e08a3c',
  yellow: '#c9a227',
  green: '#4ca65a',
  blue: '#4a86d8',
  violet: '#9b59d0',
} as const
const names = () => Object.keys(graphAt(currentDocument(), state().group).steps ?? {})
const camera = () => useCamera.getState().camera
const detours = (wire: string) => currentDocument().layout?.[state().group]?.reroutes?.[wire] ?? []

function insertHere({ wire, x, y, at }: Asked): void {
  const [step, input] = split(wire ?? '')
  if (at) offer({ x, y, at, into: { step, input } })
}

/** Open the menu where what is selected lies, or in the middle. */
function openHere(): void {
  const { middle, screen } = useCamera.getState().camera ?? {}
  if (!middle || !screen) return
  const [first] = chosen()
  if (first === undefined) {
    openMenu({ about: 'canvas', ...middle() })
    return
  }
  reveal([first])
  const at = whereIs(first)
  const about = chosen().length > 1 ? 'several' : 'node'
  requestAnimationFrame(() => openMenu({ about, at, ...screen([at[0] + 24, at[1] + 30]) }))
}

const pasteAt = (asked?: Asked) => (asked?.at ? { at: asked.at } : {})

function addHere(asked?: Asked): void {
  const middle = useCamera.getState().camera?.middle()
  if (asked?.at) offer({ x: asked.x, y: asked.y, at: asked.at })
  else if (middle) offer({ ...middle, x: middle.x - 180, y: middle.y - 200 })
}

const LIST: readonly Omit<Action, 'page'>[] = [
  { id: 'run', part: 'Run', keys: ['Control+Enter'], always: true, does: () => runNow() },
  {
    id: 'run-first',
    part: 'Run',
    keys: ['Control+Shift+Enter'],
    always: true,
    does: () => runNow({ first: true }),
  },
  {
    id: 'run-to',
    part: 'Run',
    keys: ['Alt+Enter'],
    always: true,
    selection: true,
    does: () => chosen().length > 0 && runNow({ targets: [...chosen()] }),
  },
  {
    id: 'stop',
    part: 'Run',
    keys: ['Control+Alt+Enter'],
    always: true,
    does: () => state().run && cancel(state().run ?? ''),
  },
  { id: 'sweep', part: 'Run', keys: ['Alt+x'], always: true, does: () => askSweep() },
  { id: 'save', part: 'File', keys: ['Control+s'], always: true, does: () => store() },
  { id: 'save-as', part: 'File', keys: ['Control+Shift+s'], always: true, does: () => askName() },
  { id: 'open-file', part: 'File', keys: ['Control+o'], always: true, does: openFile },
  { id: 'download', part: 'File', keys: [], does: download },
  { id: 'link', part: 'File', keys: [], does: () => void copyLink() },
  { id: 'new', part: 'File', keys: ['Alt+n'], always: true, does: () => void fresh() },
  { id: 'close', part: 'File', keys: ['Alt+w'], always: true, does: () => void close(state().tab) },
  { id: 'log', part: 'View', keys: ['Alt+l'], always: true, does: toggleLog },
  { id: 'add', part: 'Node', keys: ['Shift+a'], does: addHere },
  {
    id: 'title',
    part: 'Node',
    keys: ['F2'],
    selection: true,
    does: () => useCamera.setState({ titling: chosen()[0] ?? null }),
  },
  {
    id: 'enter',
    part: 'Node',
    keys: [],
    when: () => groupChosen() !== '',
    does: () => enter(groupChosen()),
  },
  {
    id: 'picture',
    part: 'Node',
    keys: [],
    when: () => pictureOf(chosen()) !== null,
    does: () => look(chosen()),
  },
  ...(Object.keys(COLOURS) as (keyof typeof COLOURS)[]).map(
    (name): Omit<Action, 'page'> => ({
      id: `colour-${name}`,
      part: 'Node',
      keys: [],
      selection: true,
      swatch: COLOURS[name],
      on: () => each((one) => (placeOf(one)?.colour ?? '') === COLOURS[name]),
      does: () => tint(COLOURS[name]),
    }),
  ),
  {
    id: 'wire-insert',
    part: 'Edit',
    keys: [],
    when: (asked) => asked?.wire !== undefined,
    does: (asked) => asked && insertHere(asked),
  },
  {
    id: 'wire-reroute',
    part: 'Edit',
    keys: [],
    when: (asked) => asked?.wire !== undefined,
    does: (asked) => asked?.wire && asked.at && camera()?.bend(asked.wire, asked.at),
  },
  {
    id: 'wire-straight',
    part: 'Edit',
    keys: [],
    when: (asked) => detours(asked?.wire ?? '').length > 0,
    does: (asked) =>
      perform(words().edits.reroute, commands.setReroutes(state().group, asked?.wire ?? '', [])),
  },
  {
    id: 'wire-cut',
    part: 'Edit',
    keys: [],
    when: (asked) => asked?.wire !== undefined,
    does: (asked) => loosen(state().group, asked?.wire ? [asked.wire] : []),
  },
  {
    id: 'undo',
    part: 'Edit',
    keys: ['Control+z'],
    when: () => state().history.past.length > 0,
    does: undo,
  },
  {
    id: 'redo',
    part: 'Edit',
    keys: ['Control+Shift+z', 'Control+y'],
    when: () => state().history.future.length > 0,
    does: redo,
  },
  { id: 'copy', part: 'Edit', keys: ['Control+c'], selection: true, does: () => void copied() },
  { id: 'paste', part: 'Edit', keys: ['Control+v'], does: (asked) => void paste(false, pasteAt(asked)) },
  {
    id: 'paste-wired',
    part: 'Edit',
    keys: ['Control+Shift+v'],
    does: (asked) => void paste(true, pasteAt(asked)),
  },
  { id: 'duplicate', part: 'Edit', keys: ['Control+d'], selection: true, does: () => duplicate() },
  { id: 'delete', part: 'Edit', keys: ['Delete', 'Backspace'], selection: true, does: remove },
  { id: 'dissolve', part: 'Edit', keys: ['Shift+Delete'], selection: true, does: dissolve },
  { id: 'cut', part: 'Edit', keys: ['y'], does: () => useCamera.setState({ cutting: true }) },
  {
    id: 'mute',
    part: 'Node',
    keys: ['Control+m'],
    selection: true,
    on: () => each((name) => stepOf(name)?.off === 'mute'),
    does: () => toggle('mute'),
  },
  {
    id: 'bypass',
    part: 'Node',
    keys: ['Control+b'],
    selection: true,
    on: () => each((name) => stepOf(name)?.off === 'bypass'),
    does: () => toggle('bypass'),
  },
  {
    id: 'collapse',
    part: 'Node',
    keys: ['Alt+c'],
    selection: true,
    on: () => each((name) => placeOf(name)?.collapsed),
    does: () => flag('collapsed'),
  },
  {
    id: 'pin',
    part: 'Node',
    keys: ['p'],
    selection: true,
    on: () => each((name) => placeOf(name)?.pinned),
    does: () => flag('pinned'),
  },
  { id: 'frame', part: 'Arrange', keys: ['Control+g'], selection: true, does: frame },
  { id: 'group', part: 'Arrange', keys: ['Control+Shift+e'], selection: true, does: groupUp },
  {
    id: 'leave',
    part: 'View',
    keys: ['Escape'],
    does: () => (chosen().length > 0 ? select([]) : state().group !== '' && leave()),
  },
  { id: 'leave-group', part: 'View', keys: [], when: () => state().group !== '', does: leave },
  { id: 'menu', part: 'View', keys: ['Shift+F10', 'ContextMenu'], does: openHere },
  { id: 'layout', part: 'Arrange', keys: ['l'], selection: true, does: () => tidy(chosen()) },
  {
    id: 'layout-all',
    part: 'Arrange',
    keys: ['Shift+l'],
    does: () => tidy(names()).then(() => camera()?.fit()),
  },
  ...(['left', 'right', 'top', 'bottom'] as const).map(
    (edge): Omit<Action, 'page'> => ({
      id: `align-${edge}`,
      part: 'Arrange',
      keys: [],
      selection: true,
      does: () => line(edge),
    }),
  ),
  { id: 'spread-across', part: 'Arrange', keys: [], selection: true, does: () => spread(true) },
  { id: 'spread-down', part: 'Arrange', keys: [], selection: true, does: () => spread(false) },
  { id: 'all', part: 'View', keys: ['Control+a'], does: () => select(names()) },
  {
    id: 'fit',
    part: 'View',
    keys: ['.'],
    does: () => camera()?.fit(chosen().length > 0 ? chosen() : undefined),
  },
  { id: 'fit-all', part: 'View', keys: ['Home'], does: () => camera()?.fit() },
  { id: 'zoom-in', part: 'View', keys: ['Alt+='], does: () => camera()?.zoom(1.2) },
  { id: 'zoom-out', part: 'View', keys: ['Alt+-'], does: () => camera()?.zoom(1 / 1.2) },
  { id: 'left', part: 'Move', keys: ['ArrowLeft'], does: () => nudge(-8, 0) },
  { id: 'right', part: 'Move', keys: ['ArrowRight'], does: () => nudge(8, 0) },
  { id: 'up', part: 'Move', keys: ['ArrowUp'], does: () => nudge(0, -8) },
  { id: 'down', part: 'Move', keys: ['ArrowDown'], does: () => nudge(0, 8) },
  { id: 'back', part: 'Move', keys: ['Alt+ArrowLeft'], does: () => walk(true) },
  { id: 'on', part: 'Move', keys: ['Alt+ArrowRight'], does: () => walk(false) },
]

export const ACTIONS: readonly Action[] = LIST.map((one) => ({ page: 'graph', ...one }))

export function say(error: unknown): void {
  useGraph.setState({ said: error instanceof Error ? error.message : String(error) })
}

/** The first keys of an action, as they are printed. */
export function keysFor(id: Action['id']): string {
  const action = ACTIONS.find((one) => one.id === id)
  return (action && keysOf(action)[0] && parts(keysOf(action)[0] ?? '').join('+')) ?? ''
}

/** Wires are cut as long as the key is held. */
export function useCutting(): void {
  useEffect(() => {
    const released = () => useCamera.getState().cutting && useCamera.setState({ cutting: false })
    window.addEventListener('keyup', released)
    return () => window.removeEventListener('keyup', released)
  }, [])
}
