import { describe, expect, test } from 'vitest'
import { bind, conflicts, type Keyed, keysOf, PRESET_KEYS, parts, reserved, unbind } from './keys'
import { PRESETS, read, write } from './settings'
import { resolve } from './theme'

const MUTE = { id: 'mute', page: 'graph', keys: ['Control+m'] }
const COPY = { id: 'copy', page: 'graph', keys: ['Control+c', 'Control+Insert'] }
const LIST: readonly Keyed[] = [MUTE, COPY]
const PLAIN = { preset: 'comfy', keys: {} } as const

describe('settings', () => {
  test('come back as they were kept', () => {
    const chosen = { ...read(null), theme: 'light' as const, grid: 16, keys: { mute: ['q'] } }
    expect(read(write(chosen))).toEqual(chosen)
  })
  test.each([null, '', '[]', '{"version":1', '{"version":99,"theme":"light"}', '7'])(
    'that say %s are as at first',
    (text) => expect(read(text)).toMatchObject({ theme: 'dark', language: 'en', snap: true }),
  )
  test('lose a wrong value and keep the others', () => {
    const text = '{"version":1,"theme":"pink","grid":1e9,"links":"step","keys":{"mute":"q"},"more":1}'
    expect(read(text)).toMatchObject({ theme: 'dark', grid: 4, links: 'step', keys: {} })
  })
  test('follow the system only when asked to', () => {
    expect([resolve('dark', true), resolve('system', true), resolve('system', false)]).toEqual([
      'dark',
      'light',
      'dark',
    ])
  })
})

describe('keys', () => {
  test('of one’s own go before the preset, and the preset before the action', () => {
    expect(keysOf(MUTE, PLAIN)).toEqual(['Control+m'])
    expect(keysOf(MUTE, { preset: 'blender', keys: {} })).toEqual(['Shift+m'])
    expect(keysOf(MUTE, { preset: 'blender', keys: { mute: [] } })).toEqual([])
  })
  test('that two actions have are found', () => {
    const both = conflicts(LIST, { ...PLAIN, keys: { mute: ['Control+c'] } })
    expect([...both].map(([chord, who]) => [chord, who.map(({ id }) => id)])).toEqual([
      ['Control+c', ['mute', 'copy']],
    ])
  })
  test('of pages that are never there together may be the same', () => {
    const list = [COPY, { id: 'gallery-copy', page: 'gallery', keys: ['Control+c'] }]
    expect(conflicts(list, PLAIN).size).toBe(0)
    expect(conflicts([...list, { ...MUTE, page: 'everywhere', keys: ['Control+c'] }], PLAIN).size).toBe(1)
  })
  test('are taken from whoever had them, who keeps the rest', () => {
    const keys = bind(LIST, PLAIN, 'mute', 'Control+c')
    expect(keys).toEqual({ mute: ['Control+c'], copy: ['Control+Insert'] })
    expect(conflicts(LIST, { ...PLAIN, keys }).size).toBe(0)
    expect(unbind(keys, 'mute')).toEqual({ copy: ['Control+Insert'] })
  })
  test('that the browser needs are refused', () => {
    expect(['Tab', 'Shift+Tab', 'Control+w', 'Enter'].every(reserved)).toBe(true)
    expect(['t', 'Control+Enter', 'Alt+c'].some(reserved)).toBe(false)
  })
  test('are said as they are printed', () => {
    expect(parts('Control+Shift+z')).toEqual(['Ctrl', 'Shift', 'Z'])
    expect([parts('Alt++'), parts(' '), parts('+')]).toEqual([['Alt', '+'], ['Space'], ['+']])
  })
  test.each(PRESETS)('of the preset %s never take plain Tab', (preset) => {
    expect(Object.values(PRESET_KEYS[preset]).flat().some(reserved)).toBe(false)
  })
})
