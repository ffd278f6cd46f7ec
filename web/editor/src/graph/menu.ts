/** The menu at the mouse: for what it was asked, and what it has, by the ids of actions. */
import { create } from 'zustand'
import type { At } from './model/commands'

/** `more` is what a small window's toolbar has no room for. */
export type About = 'node' | 'several' | 'wire' | 'canvas' | 'more'

export interface Asked {
  about: About
  /** On the screen. */
  x: number
  y: number
  /** On the canvas, if it was opened there. */
  at?: At
  /** The wire that it is about, by the input that it goes to. */
  wire?: string
}

export const useMenu = create<{ asked: Asked | null }>(() => ({ asked: null }))

export function openMenu(asked: Asked): void {
  useMenu.setState({ asked })
}

export function closeMenu(): void {
  useMenu.setState({ asked: null })
}

const OFF = ['bypass', 'mute', 'collapse', 'pin']
const COPY = ['copy', 'duplicate', 'delete', 'dissolve']
const COLOURS = ['none', 'red', 'orange', 'yellow', 'green', 'blue', 'violet'].map((one) => `colour-${one}`)

export const MENUS: Record<About, readonly (readonly string[])[]> = {
  node: [['run-to', 'picture', 'enter', 'title'], OFF, COLOURS, COPY, ['group', 'frame']],
  several: [
    ['run-to'],
    OFF,
    COLOURS,
    COPY,
    ['group', 'frame', 'layout'],
    ['align-left', 'align-right', 'align-top', 'align-bottom', 'spread-across', 'spread-down'],
  ],
  wire: [['wire-insert', 'wire-reroute', 'wire-straight'], ['wire-cut']],
  canvas: [
    ['add', 'paste', 'paste-wired'],
    ['undo', 'redo'],
    ['all', 'layout-all', 'fit-all'],
    ['leave-group', 'palette', 'keys'],
  ],
  more: [
    ['save-as', 'new', 'close'],
    ['add', 'paste', 'all', 'layout-all', 'fit-all'],
    ['leave-group', 'palette', 'log'],
  ],
}
