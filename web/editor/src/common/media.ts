/** What kind of window the page has, where style alone cannot tell things apart. */
import { useSyncExternalStore } from 'react'

/** Whether a media query holds, also once the window was turned or resized. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (heard) => {
      const watched = matchMedia(query)
      watched.addEventListener('change', heard)
      return () => watched.removeEventListener('change', heard)
    },
    () => matchMedia(query).matches,
  )
}

export const PHONE = '(max-width: 720px)'
export const NARROW = '(max-width: 1000px)'
