import { deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Field } from '../../graph/model/form'
import type { Json, Port } from '../../graph/model/ports'
import { embedded } from './embedded'
import { fitted, parse } from './parameters'

const WORDS = `a castle on a hill, (sunset:1.2),
<lora:ink:0.7>
Negative prompt: blurry, low quality,
text
Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234567890, Size: 512x768, Model hash: 879db523c3, Model: dreamshaper_8, Clip skip: 2, Lora hashes: "ink: 0a1b, pen: 9f9f", Version: v1.6.0`

const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const bytes = (text: string) => [...new TextEncoder().encode(text)]
const latin = (text: string) => [...text].map((letter) => letter.charCodeAt(0))
const chunk = (kind: string, data: number[]) => [...u32(data.length), ...latin(kind), ...data, 0, 0, 0, 0]
const png = (...chunks: number[][]) =>
  new Blob([
    new Uint8Array([
      ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
      ...chunk('IHDR', Array(13).fill(0)),
      ...chunks.flat(),
      ...chunk('IEND', []),
    ]),
  ])
const packed = (data: number[]) => [...deflateSync(Buffer.from(data))]

/** Exif with nothing but a comment, as piexif writes it: big-endian, UTF-16. */
function exif(comment: number[]): number[] {
  const entry = (tag: number, type: number, count: number, value: number) => [
    ...[tag >> 8, tag & 255, 0, type],
    ...u32(count),
    ...u32(value),
  ]
  return [
    ...latin('Exif\0\0MM'),
    ...[0, 42, ...u32(8)],
    ...[0, 1, ...entry(0x8769, 4, 1, 26), ...u32(0)],
    ...[0, 1, ...entry(0x9286, 7, comment.length, 44), ...u32(0)],
    ...comment,
  ]
}
const wide = (text: string) =>
  [...text].flatMap((letter) => [letter.charCodeAt(0) >> 8, letter.charCodeAt(0) & 255])
function jpeg(comment: number[]): Blob {
  const data = exif(comment)
  const length = data.length + 2
  const jfif = [0xff, 0xe0, 0, 16, ...latin('JFIF\0'), ...Array(9).fill(0)]
  return new Blob([
    new Uint8Array([0xff, 0xd8, ...jfif, 0xff, 0xe1, length >> 8, length & 255, ...data, 0xff, 0xda]),
  ])
}
function webp(comment: number[]): Blob {
  const data = exif(comment)
  const size = [...u32(data.length)].reverse()
  return new Blob([new Uint8Array([...latin('RIFF'), 0, 0, 0, 0, ...latin('WEBPEXIF'), ...size, ...data])])
}

test('the settings are found in every kind of picture that has them', async () => {
  expect(await embedded(png(chunk('tEXt', latin(`parameters\0${WORDS}`))))).toBe(WORDS)
  const accents = `${WORDS.slice(0, 20)} Größe 雪\nSteps: 1`
  expect(await embedded(png(chunk('iTXt', [...latin('parameters\0\0\0\0\0'), ...bytes(accents)])))).toBe(
    accents,
  )
  const small = [...latin('parameters\0'), 1, 0, 0, 0, ...packed(bytes(accents))]
  expect(await embedded(png(chunk('iTXt', small)))).toBe(accents)
  expect(await embedded(png(chunk('zTXt', [...latin('parameters\0\0'), ...packed(latin(WORDS))])))).toBe(
    WORDS,
  )
  expect(await embedded(jpeg([...latin('UNICODE\0'), ...wide(WORDS)]))).toBe(WORDS)
  expect(await embedded(jpeg([...latin('ASCII\0\0\0'), ...latin(WORDS)]))).toBe(WORDS)
  expect(await embedded(webp([...latin('UNICODE\0'), ...wide(WORDS)]))).toBe(WORDS)
})

test('a picture without them, or a broken one, has none', async () => {
  expect(await embedded(png(chunk('tEXt', latin('prompt\0{"3": {"class_type": "KSampler"}}'))))).toBe(null)
  expect(await embedded(new Blob(['GIF89a and so on']))).toBe(null)
  expect(await embedded(new Blob([]))).toBe(null)
  const whole = new Uint8Array(await jpeg([...latin('UNICODE\0'), ...wide(WORDS)]).arrayBuffer())
  for (let end = 0; end < 80; end++) await embedded(new Blob([whole.slice(0, end)]))
})

test('the text is a prompt, what to avoid, and settings', () => {
  const told = parse(WORDS)
  expect(told?.prompt).toBe('a castle on a hill, (sunset:1.2),\n<lora:ink:0.7>')
  expect(told?.negative).toBe('blurry, low quality,\ntext')
  expect(told?.settings.get('Sampler')).toBe('DPM++ 2M Karras')
  expect(told?.settings.get('Lora hashes')).toBe('ink: 0a1b, pen: 9f9f')
  expect(parse('{"prompt": "ours"}')).toBe(null)
  expect(parse('a photo of my cat')).toBe(null)
})

const field = (name: string, port: Port, schema: Record<string, Json> = {}): Field => ({
  ...{ name, port, schema, title: name, help: '', section: '', value: undefined, place: `sample.${name}` },
})
const INT: Port = { type: 'scalar', name: 'int' }
const FORM = [
  field('prompt', { type: 'scalar', name: 'str' }),
  field('negative', { type: 'scalar', name: 'str' }),
  field('model', { type: 'scalar', name: 'str' }),
  field('method', { type: 'menu', options: ['euler', 'euler ancestral', 'dpm++ 2m'] }),
  field('seed', INT),
  field('steps', INT, { minimum: 1, maximum: 150 }),
  field('guidance', { type: 'scalar', name: 'float' }, { minimum: 0, maximum: 30 }),
  field('width', { type: 'union', options: [{ ...INT, multiple_of: 8 }, { type: 'none' }] }),
  field('height', { type: 'union', options: [{ ...INT, multiple_of: 8 }, { type: 'none' }] }),
]
const asked = (text: string, models: string[] = []) => fitted(parse(text) as never, FORM, models)

test('a form takes over what it has inputs for, and says what stays behind', () => {
  const found = asked(WORDS)
  expect(found.inputs).toMatchObject({
    ...{ steps: 25, guidance: 6.5, seed: 1234567890, width: 512, height: 768, method: 'dpm++ 2m' },
  })
  expect(found.taken).toEqual(['prompt', 'negative', 'steps', 'guidance', 'seed', 'size', 'method'])
  expect(found.spacing).toBe('karras')
  expect(found.inputs.prompt).toBe('a castle on a hill, (sunset:1.2),')
  expect(found.left).toEqual([
    { name: 'LoRA', value: 'ink' },
    { name: 'Model', value: 'dreamshaper_8', missing: true },
    { name: 'Clip skip', value: '2' },
  ])
  expect(asked(WORDS, ['other', 'folder/DreamShaper_8.safetensors']).inputs.model).toBe(
    'folder/DreamShaper_8.safetensors',
  )
})

test('what does not fit stays behind, and nothing to avoid empties what was there', () => {
  const found = asked('a cat\nSteps: 900, Sampler: Euler a, Schedule type: Automatic, Size: 513x512, Seed: 5')
  expect(found.inputs).toEqual({ prompt: 'a cat', negative: '', method: 'euler ancestral', seed: 5 })
  expect(found.taken).toEqual(['prompt', 'seed', 'method'])
  expect(found.left.map((one) => one.name)).toEqual(['Steps', 'Size'])
  const newer = asked('a cat\nSteps: 9, Sampler: DPM++ 2M, Schedule type: Karras')
  expect([newer.inputs.method, newer.spacing, newer.left]).toEqual(['dpm++ 2m', 'karras', []])
})
