/** What the app says, in the language that was chosen. English is always here; others come when they are asked for. */
import { create } from 'zustand'
import { type Settings, useSettings } from '../../settings/settings'
import { en, type Words } from './en'

export type { Words }

type Language = Settings['language']
export const LANGUAGES: Record<Language, () => Promise<Words>> = {
  en: async () => en,
  de: () => import('./de').then(({ de }) => de),
}

const useSpoken = create<{ words: Words }>(() => ({ words: en }))

/** For what is drawn: it is drawn again in another language when one is chosen. */
export function useWords(): Words {
  return useSpoken((state) => state.words)
}

/** For what is said outside of drawing. */
export function words(): Words {
  return useSpoken.getState().words
}

/** Speak the language that is chosen, now and whenever another one is. */
export async function speak(): Promise<void> {
  useSettings.subscribe(({ language }, before) => language !== before.language && void take(language))
  await take(useSettings.getState().language)
}

async function take(language: Language): Promise<void> {
  const found = await LANGUAGES[language]().catch(() => null) // it cannot be had now: go on as before
  if (!found || useSettings.getState().language !== language) return
  useSpoken.setState({ words: found })
  document.documentElement.lang = found.app.language
}
