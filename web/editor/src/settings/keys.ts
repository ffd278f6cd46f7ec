/** Which keys do what: presets, keys of one's own, and what two actions would both answer to. */
import { words } from '../common/words'
import { type Settings, useSettings } from './settings'

/** What there is to know of an action here; `app/all.ts` has the list. */
export interface Keyed {
  id: string
  /** Where its keys count. */
  page: string
  keys: readonly string[]
}
export type Keys = Readonly<Record<string, readonly string[]>>
type Choice = Pick<Settings, 'preset' | 'keys'>

/** Where each preset differs from the keys that the actions name themselves, which are ComfyUI's. */
export const PRESET_KEYS: Record<Settings['preset'], Keys> = {
  comfy: {},
  blender: {
    duplicate: ['Shift+d'],
    delete: ['x', 'Delete', 'Backspace'],
    dissolve: ['Control+x', 'Shift+Delete'],
    bypass: ['m'], // what Blender calls mute lets its input pass
    mute: ['Shift+m'],
    collapse: ['h'],
    all: ['a', 'Control+a'],
    frame: ['Control+j'],
    group: ['Control+g'],
    redo: ['Control+Shift+z'],
  },
  nuke: {
    bypass: ['d', 'q'],
    mute: ['Shift+d'],
    duplicate: ['Alt+c', 'Control+d'],
    collapse: ['Shift+c'],
    dissolve: ['Control+Shift+x', 'Shift+Delete'],
    fit: ['f'],
    'fit-all': ['h', 'Home'],
  },
}

/** The keys of an action, as chosen. */
export function keysOf(action: Keyed, { preset, keys }: Choice = useSettings.getState()): readonly string[] {
  return keys[action.id] ?? PRESET_KEYS[preset][action.id] ?? action.keys
}

/** Every chord that more than one action answers to, with those actions; the first of them wins. */
export function conflicts<A extends Keyed>(actions: readonly A[], choice: Choice): Map<string, A[]> {
  const holders = new Map<string, A[]>()
  for (const action of actions)
    for (const chord of keysOf(action, choice)) holders.set(chord, [...(holders.get(chord) ?? []), action])
  const clash = [...holders].map(([chord, all]): [string, A[]] => [
    chord,
    all.filter((one) => all.some((other) => other !== one && meet(one, other))),
  ])
  return new Map(clash.filter(([, several]) => several.length > 1))
}

/** Whether the keys of two actions count at the same place. */
function meet(one: Keyed, other: Keyed): boolean {
  return one.page === other.page || [one.page, other.page].includes('everywhere')
}

/** Who answers to a chord already, besides the action that asks. */
export function holders<A extends Keyed>(
  actions: readonly A[],
  choice: Choice,
  chord: string,
  asking: string,
): A[] {
  const one = actions.find(({ id }) => id === asking)
  return actions.filter(
    (other) => other !== one && one && meet(one, other) && keysOf(other, choice).includes(chord),
  )
}

/** One's own keys once an action has this chord alone, and nobody else has it. */
export function bind(actions: readonly Keyed[], choice: Choice, id: string, chord: string): Settings['keys'] {
  const freed = holders(actions, choice, chord, id).map(
    (one) => [one.id, keysOf(one, choice).filter((key) => key !== chord)] as const,
  )
  return { ...choice.keys, ...Object.fromEntries(freed), [id]: [chord] }
}

/** One's own keys without those of an action. */
export function unbind(keys: Settings['keys'], id: string): Settings['keys'] {
  const { [id]: _, ...left } = keys
  return left
}

const MODIFIERS = new Set(['Control', 'Alt', 'Shift', 'Meta', 'AltGraph', 'CapsLock', 'Dead', 'Unidentified'])
const KEPT = new Set([
  'Tab',
  'Enter',
  ' ',
  'F5',
  'F11',
  'F12',
  'Control+t',
  'Control+n',
  'Control+w',
  'Control+r',
])

/** Whether a key that went down is not yet a chord: a modifier alone. */
export function unfinished(key: string): boolean {
  return MODIFIERS.has(key)
}

/** Whether the browser, or whoever works without a mouse, needs this chord itself. */
export function reserved(chord: string): boolean {
  return KEPT.has(chord) || /(^|\+)Tab$/.test(chord)
}

const SAID: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
}

/** A chord as it is printed on the keys: "Control+z" is Ctrl, Z. */
export function parts(chord: string): string[] {
  const found = chord.endsWith('+')
    ? [...chord.slice(0, -1).split('+').filter(Boolean), '+']
    : chord.split('+')
  const { keycaps } = words()
  return found.map((key) => keycaps[key] ?? SAID[key] ?? (key.length === 1 ? key.toUpperCase() : key))
}

/** The same in a row. */
export function spelled(chord: string): string {
  return parts(chord).join(' ')
}
