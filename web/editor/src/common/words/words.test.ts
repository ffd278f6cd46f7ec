import { expect, test } from 'vitest'
import { LANGUAGES } from '.'
import { en } from './en'

type Texts = { [key: string]: string | Texts | ((...told: never[]) => string) }

/** The same in every language: names, and words that artists use as they are. */
const SHARED =
  /^(ComfyUI|NSFW|LoRA|Seed|Prompt|Workflows?|Graph|App|Apps|JSON|Name|Text|Lasso|Version|min s|h min)$/

/** Every key with what stands there; functions are told names for what they are told. */
function said(words: Texts, place = ''): [string, string][] {
  return Object.entries(words).flatMap(([key, text]): [string, string][] => {
    if (typeof text === 'object') return said(text, `${place}${key}.`)
    if (typeof text === 'string') return [[`${place}${key}`, text]]
    const told = Array.from({ length: text.length }, (_, index) => index + 2)
    return [[`${place}${key}`, text(...(told as never[]))]]
  })
}

/** What is no word, or is told: nothing to be translated. */
function bare(text: string): string {
  return text.replace(/[^A-Za-zÄÖÜäöüß]+/g, ' ').trim()
}

const english = said(en as unknown as Texts).filter(([place]) => !place.startsWith('keycaps.'))

test.each(Object.keys(LANGUAGES) as (keyof typeof LANGUAGES)[])(
  '%s says all that English says',
  async (language) => {
    const spoken = new Map(said((await LANGUAGES[language]()) as unknown as Texts))
    expect(english.filter(([place]) => !spoken.get(place)?.trim()).map(([place]) => place)).toEqual([])
  },
)

test('German leaves nothing in English by accident', async () => {
  const spoken = new Map(said((await LANGUAGES.de()) as unknown as Texts))
  const left = english.filter(
    ([place, text]) => spoken.get(place) === text && bare(text).length > 3 && !SHARED.test(bare(text)),
  )
  expect(left).toEqual([])
})

test('German is written with its own quotes and with room before an ellipsis', async () => {
  const wrong = said((await LANGUAGES.de()) as unknown as Texts).filter(([, text]) =>
    /[a-zäöüß]…|“[^“„]*”/.test(text),
  )
  expect(wrong).toEqual([])
})
