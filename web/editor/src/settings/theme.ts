/** The colours of the page, as chosen; the system's own choice is followed as it changes. */
import { useSyncExternalStore } from 'react'
import { type Settings, useSettings } from './settings'

export type Theme = 'dark' | 'light'
const BRIGHT = '(prefers-color-scheme: light)'

export function resolve(theme: Settings['theme'], bright: boolean): Theme {
  if (theme !== 'system') return theme
  return bright ? 'light' : 'dark'
}

function current(): Theme {
  return resolve(useSettings.getState().theme, matchMedia(BRIGHT).matches)
}

function follow(changed: () => void): () => void {
  const system = matchMedia(BRIGHT)
  system.addEventListener('change', changed)
  const settings = useSettings.subscribe(changed)
  return () => {
    system.removeEventListener('change', changed)
    settings()
  }
}

/** For what paints by itself and cannot be told by CSS. */
export function useTheme(): Theme {
  return useSyncExternalStore(follow, current)
}

/** Dress the page, now and whenever something else is chosen. */
export function dress(): void {
  const put = () => {
    document.documentElement.dataset.theme = current()
  }
  put()
  follow(put)
}
