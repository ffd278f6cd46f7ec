/** What keys, menus and the palette do: how an action is told, where it counts, and how keys reach it. */
import { useEffect, useLayoutEffect } from 'react'
import { navigate } from 'wouter/use-browser-location'
import { create } from 'zustand'
import { ROOT } from '../api/client'
import type { Asked } from '../graph/menu'
import { keysOf } from '../settings/keys'
import type { Words } from './words'

export const PARTS = ['Run', 'File', 'Edit', 'Node', 'Arrange', 'View', 'Move'] as const

/** Each page has a list of its own; what is everywhere counts on all of them. */
export type Page = keyof Words['pages']

export interface Action {
  /** By it the files of words know what it is called. */
  id: keyof Words['actions']
  page: Page
  part: (typeof PARTS)[number]
  /** As pressed: "Control+Enter"; several ways are allowed. */
  keys: readonly string[]
  /** Whether it also works while something is typed. */
  always?: boolean
  /** Whether it does something to what is selected. */
  selection?: boolean
  /** Whether there is something to do; left out: always. `asked` is what a menu was opened for. */
  when?: (asked?: Asked) => boolean
  /** Whether it is so already, for what is switched. */
  on?: () => boolean
  /** The colour that it gives, "" for none. */
  swatch?: string
  does: (asked?: Asked) => unknown
}

/** What is open over the page: everything to be found, or the keys. */
export const useOverlay = create<{
  overlay: 'palette' | 'keys' | null
  /** What was typed before the palette was there. */
  typed: string
  /** Whether Enter was pressed before there was anything to choose from. */
  entered: boolean
}>(() => ({ overlay: null, typed: '', entered: false }))

const go = (path: string) => () => navigate(`${ROOT.pathname.replace(/\/$/, '')}${path}`)

export const EVERYWHERE: readonly Action[] = [
  {
    id: 'palette',
    page: 'everywhere',
    part: 'View',
    keys: ['Control+k'],
    always: true,
    does: () => useOverlay.setState({ overlay: 'palette', typed: '', entered: false }),
  },
  {
    id: 'keys',
    page: 'everywhere',
    part: 'View',
    keys: ['?', 'Shift+?'],
    does: () => useOverlay.setState({ overlay: 'keys' }),
  },
  { id: 'go-create', page: 'everywhere', part: 'View', keys: [], does: go('/') },
  { id: 'go-graph', page: 'everywhere', part: 'View', keys: [], does: go('/graph') },
  { id: 'go-gallery', page: 'everywhere', part: 'View', keys: [], does: go('/gallery') },
  { id: 'go-queue', page: 'everywhere', part: 'View', keys: [], does: go('/queue') },
  { id: 'go-models', page: 'everywhere', part: 'View', keys: [], does: go('/models') },
  { id: 'go-settings', page: 'everywhere', part: 'View', keys: [], does: go('/settings') },
]

const shown = new Set<Page>(['everywhere'])

export function isShown(page: Page): boolean {
  return shown.has(page)
}

/** Whether something would come of it now. */
export function possible({ page, when }: Action): boolean {
  return isShown(page) && (when?.() ?? true)
}

/** Say that a page is shown, as long as it is. */
export function usePage(page: Page): void {
  useEffect(() => {
    shown.add(page)
    return () => void (page !== 'everywhere' && shown.delete(page))
  }, [page])
}

/** Listen for the keys of a page while it is shown. */
export function useKeys(page: Page, actions: readonly Action[]): void {
  usePage(page)
  // What is seen can be pressed at once: an effect after the first paint comes too late for quick hands.
  useLayoutEffect(() => {
    const heard = (event: KeyboardEvent) => {
      if (!document.querySelector('dialog[open]')) press(actions, event)
    }
    window.addEventListener('keydown', heard)
    return () => window.removeEventListener('keydown', heard)
  }, [actions])
}

/** What the actions of a page are done with: something that is only there while it is shown. */
export function hands<H extends object>(page: Page): { now: () => H | null; useHands: (hands: H) => void } {
  let held: H | null = null
  return {
    now: () => held,
    useHands: (hands) => {
      usePage(page)
      useEffect(() => {
        held = hands
        return () => {
          if (held === hands) held = null
        }
      }, [hands])
    },
  }
}

type Pressed = Pick<
  KeyboardEvent,
  'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'target' | 'defaultPrevented' | 'preventDefault'
>

/** Do what these keys stand for; whether they stand for something. */
export function press(actions: readonly Action[], event: Pressed): boolean {
  if (event.defaultPrevented || belongs(event)) return false
  const pressed = chord(event)
  const action = actions.find((one) => keysOf(one).includes(pressed) && (one.always || !typing(event.target)))
  if (!action) return false
  event.preventDefault()
  void action.does()
  return true
}

/** The keys that are held, as actions name them. */
export function chord(event: Omit<Pressed, 'target' | 'defaultPrevented' | 'preventDefault'>): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  return [
    (event.ctrlKey || event.metaKey) && 'Control',
    event.altKey && 'Alt',
    event.shiftKey && 'Shift',
    key,
  ]
    .filter(Boolean)
    .join('+')
}

const NOT_TYPED = new Set(['checkbox', 'radio', 'range', 'file', 'button'])

function typing(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NOT_TYPED.has(target.type)
  return target instanceof HTMLElement && target.matches('textarea, select, [contenteditable]')
}

/** Whether the key belongs to the control that has the focus: arrows in tabs, lists, trees and sliders. */
function belongs({ key, target }: Pressed): boolean {
  return (
    (key.startsWith('Arrow') || key === 'Home' || key === 'End') &&
    target instanceof HTMLElement &&
    target.matches(
      '[role="tab"], [role="radio"], [role="treeitem"], summary, input[type="range"], input[type="radio"]',
    )
  )
}
