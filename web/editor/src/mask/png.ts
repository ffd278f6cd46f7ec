/** A PNG written by hand: a canvas would forget the colours of pixels that are transparent. */

const TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const KINDS = { 1: 0, 4: 6 } as const // grey, and red, green, blue, alpha

/** Pixels of 8 bits with one (grey) or four channels as the bytes of a file. */
export async function png(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  channels: 1 | 4,
): Promise<Blob> {
  const row = width * channels
  const lines = new Uint8Array((row + 1) * height) // a 0 before each line: it is not predicted
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1)
  const packed = new Blob([lines]).stream().pipeThrough(new CompressionStream('deflate'))
  const head = new Uint8Array(13)
  new DataView(head.buffer).setUint32(0, width)
  new DataView(head.buffer).setUint32(4, height)
  head.set([8, KINDS[channels], 0, 0, 0], 8)
  const data = new Uint8Array(await new Response(packed).arrayBuffer())
  const parts = [chunk('IHDR', head), chunk('IDAT', data), chunk('IEND', new Uint8Array())]
  return new Blob([new Uint8Array(SIGNATURE), ...parts], { type: 'image/png' })
}

function chunk(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(data.length + 12)
  const view = new DataView(found.buffer)
  view.setUint32(0, data.length)
  found.set(new TextEncoder().encode(name), 4)
  found.set(data, 8)
  view.setUint32(data.length + 8, crc(found.subarray(4, data.length + 8)))
  return found
}

function crc(data: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of data) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}
