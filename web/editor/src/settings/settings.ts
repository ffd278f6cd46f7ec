/** What somebody chose for this browser: checked when it is read, kept where it was chosen. */
import * as v from 'valibot'
import { create } from 'zustand'

const KEY = 'tessera.settings'
const VERSION = 1
export const THEMES = ['dark', 'light', 'system'] as const
export const LANGUAGES = ['en', 'de'] as const
export const LINKS = ['spline', 'straight', 'step'] as const
export const PREVIEWS = ['all', 'few', 'off'] as const
export const PRESETS = ['comfy', 'blender', 'nuke'] as const
export const GRIDS = { least: 2, most: 64 } as const

/** One wrong value costs only itself: the others are kept. */
const Settings = v.object({
  theme: v.fallback(v.picklist(THEMES), 'dark'),
  language: v.fallback(v.picklist(LANGUAGES), 'en'),
  links: v.fallback(v.picklist(LINKS), 'spline'),
  snap: v.fallback(v.boolean(), true),
  grid: v.fallback(v.pipe(v.number(), v.integer(), v.minValue(GRIDS.least), v.maxValue(GRIDS.most)), 4),
  previews: v.fallback(v.picklist(PREVIEWS), 'all'),
  preset: v.fallback(v.picklist(PRESETS), 'comfy'),
  /** Keys of one's own, by action; they go before those of the preset. */
  keys: v.fallback(v.record(v.string(), v.array(v.string())), {}),
})
export type Settings = v.InferOutput<typeof Settings>
const Stored = v.object({ version: v.literal(VERSION), ...Settings.entries })

/** The settings of a text that was kept; what is not there, wrong or of another version is as at first. */
export function read(text: string | null): Settings {
  let found: unknown = null
  try {
    found = JSON.parse(text ?? '')
  } catch {
    // nothing was kept, or somebody wrote over it: as at first
  }
  const stored = v.safeParse(Stored, found)
  if (!stored.success) return v.parse(Settings, {})
  const { version: _, ...settings } = stored.output
  return settings
}

export function write(settings: Settings): string {
  return JSON.stringify({ version: VERSION, ...settings })
}

export const useSettings = create<Settings>(() => read(kept()))

export function choose(changes: Partial<Settings>): void {
  useSettings.setState(changes)
  try {
    localStorage.setItem(KEY, write(useSettings.getState()))
  } catch {
    // a browser that keeps nothing: it counts until the page is left
  }
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

/** Take up what another window of this browser chose. */
export function followSettings(): void {
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key === KEY) useSettings.setState(read(newValue))
  })
}
