/** The settings that other programs write into their pictures: a text in PNG, a comment in Exif of JPEG and WebP. */

const KEY = 'parameters'
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const LONGEST = 1 << 20 // characters; what is longer is no prompt
const EXIF = 0x8769
const COMMENT = 0x9286

/** The text, or null if the picture has none. What is broken has none. */
export async function embedded(file: Blob): Promise<string | null> {
  try {
    const bytes = new Uint8Array(await file.arrayBuffer())
    const found = PNG.every((byte, at) => bytes[at] === byte) ? await inPng(bytes) : inExif(bytes)
    return found && found.length <= LONGEST ? found.trim() : null
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return null // it ends too early
    throw error
  }
}

async function inPng(bytes: Uint8Array): Promise<string | null> {
  const view = viewOf(bytes)
  for (let at = PNG.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at)
    const kind = latin(bytes.subarray(at + 4, at + 8))
    const data = bytes.subarray(at + 8, at + 8 + length)
    if (['tEXt', 'zTXt', 'iTXt'].includes(kind)) {
      const end = data.indexOf(0)
      if (latin(data.subarray(0, end)) === KEY) return textOf(kind, data.subarray(end + 1))
    }
    at += 12 + length
  }
  return null
}

async function textOf(kind: string, data: Uint8Array): Promise<string> {
  if (kind === 'tEXt') return latin(data)
  if (kind === 'zTXt') return latin(await inflated(data.subarray(1)))
  const language = data.indexOf(0, 2)
  const text = data.subarray(data.indexOf(0, language + 1) + 1)
  return utf8(data[0] === 1 ? await inflated(text) : text)
}

async function inflated(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(data)]).stream().pipeThrough(new DecompressionStream('deflate'))
  const parts: Uint8Array[] = []
  let length = 0
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read()
    if (done) break
    parts.push(value)
    length += value.length
    if (length > LONGEST) throw new RangeError('too long')
  }
  const whole = new Uint8Array(length)
  parts.reduce((at, part) => {
    whole.set(part, at)
    return at + part.length
  }, 0)
  return whole
}

/** The comment among what a JPEG or WebP says of itself. */
function inExif(bytes: Uint8Array): string | null {
  const exif = bytes[0] === 0xff && bytes[1] === 0xd8 ? inJpeg(bytes) : inWebp(bytes)
  if (!exif) return null
  const tiff = latin(exif.subarray(0, 6)) === 'Exif\0\0' ? exif.subarray(6) : exif
  const view = viewOf(tiff)
  const little = latin(tiff.subarray(0, 2)) === 'II'
  const entry = (start: number, tag: number): number | null => {
    const count = view.getUint16(start, little)
    for (let at = start + 2; at < start + 2 + 12 * count; at += 12)
      if (view.getUint16(at, little) === tag) return at
    return null
  }
  const inner = entry(view.getUint32(4, little), EXIF)
  const comment = inner === null ? null : entry(view.getUint32(inner + 8, little), COMMENT)
  if (comment === null) return null
  const [length, start] = [view.getUint32(comment + 4, little), view.getUint32(comment + 8, little)]
  return said(tiff.subarray(start, start + length))
}

function inJpeg(bytes: Uint8Array): Uint8Array | null {
  const view = viewOf(bytes)
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const length = view.getUint16(at + 2)
    const data = bytes.subarray(at + 4, at + 2 + length)
    if (bytes[at + 1] === 0xe1 && latin(data.subarray(0, 4)) === 'Exif') return data
    if (bytes[at + 1] === 0xda) return null // from here on there are pixels
    at += 2 + length
  }
  return null
}

function inWebp(bytes: Uint8Array): Uint8Array | null {
  if (latin(bytes.subarray(0, 4)) !== 'RIFF' || latin(bytes.subarray(8, 12)) !== 'WEBP') return null
  const view = viewOf(bytes)
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (latin(bytes.subarray(at, at + 4)) === 'EXIF') return bytes.subarray(at + 8, at + 8 + length)
    at += 8 + length + (length % 2)
  }
  return null
}

/** A comment of Exif, which begins with the name of its encoding. */
function said(data: Uint8Array): string {
  const name = latin(data.subarray(0, 8))
  const text = data.subarray(8)
  if (name.startsWith('UNICODE'))
    return clean(new TextDecoder(text[1] === 0 ? 'utf-16le' : 'utf-16be').decode(text))
  return clean(utf8(name.startsWith('ASCII') ? text : data))
}

function clean(text: string): string {
  return text.replaceAll('\0', '').trim()
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function latin(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes)
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
