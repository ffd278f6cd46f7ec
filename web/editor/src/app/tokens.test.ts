/** Colours stand in one file, or a theme would not reach them; and in each theme ports are told from their ground. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const OWN = new Set([
  'app/tokens.css',
  'graph/actions.ts', // colours that cards are given, and keep in the file
  'mask/strokes.ts', // what a mask is painted with, which is read again from the pixels
])
const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
  (path) => /\.(css|tsx?)$/.test(path) && !/\.test\.ts$|words[/\\]/.test(path) && !OWN.has(path),
)

test('colours are tokens everywhere', () => {
  const found = FILES.flatMap((path) =>
    [...readFileSync(`src/${path}`, 'utf8').matchAll(/["'\s(]#[\da-f]{3}(?:[\da-f]{3})?\b|rgba?\(/gi)].map(
      ([colour]) => `${path}: ${colour}`,
    ),
  )
  expect(found).toEqual([])
})

const css = readFileSync('src/app/tokens.css', 'utf8')
const [dark, light] = [/^:root \{(.*?)^\}/ms, /^:root\[data-theme="light"\] \{(.*?)^\}/ms].map(
  (part) =>
    new Map(
      [...(part.exec(css)?.[1] ?? '').matchAll(/(--[\w-]+): (#[\da-f]{3,6});/g)].map((m) => [m[1], m[2]]),
    ),
)

function luminance(colour = ''): number {
  const full = colour.length === 4 ? [...colour.slice(1)].map((one) => one + one).join('') : colour.slice(1)
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(full.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string | undefined, other: string | undefined): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

test.each([
  ['dark', dark],
  ['light', light],
])('ports and wires are seen on the ground and the cards of the %s theme', (_, theme) => {
  const ports = [...(theme ?? [])].filter(([name]) => name?.startsWith('--port-'))
  expect(ports.length).toBe(19)
  const pale = ports.flatMap(([name, colour]) =>
    ['--ground', '--panel', '--raised']
      .filter((ground) => contrast(colour, theme?.get(ground)) < 3)
      .map((on) => `${name} on ${on}`),
  )
  expect(pale).toEqual([])
})

test.each([
  ['dark', dark],
  ['light', light],
])('texts are read on every ground of the %s theme', (_, theme) => {
  const poor = ['--text', '--muted', '--violet-text', '--bad', '--good', '--warn'].flatMap((ink) =>
    [
      '--ground',
      '--panel',
      '--sunken',
      '--raised',
      ...(ink === '--text' ? ['--chosen', '--wrong', '--hover'] : []),
    ]
      .filter((ground) => contrast(theme?.get(ink), theme?.get(ground)) < 4.5)
      .map((on) => `${ink} on ${on}: ${contrast(theme?.get(ink), theme?.get(on)).toFixed(2)}`),
  )
  expect(poor).toEqual([])
})
