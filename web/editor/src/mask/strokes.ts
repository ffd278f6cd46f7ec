/** What was done to a mask: a list that can be gone back and forth in, and drawn anew at any time. */

/** x, y in pixels of the picture, and how hard it was pressed, 0 to 1. */
export type Point = readonly [x: number, y: number, pressure: number]
export type Act =
  | { does: 'brush' | 'eraser'; size: number; points: readonly Point[] }
  | { does: 'lasso'; takes: boolean; points: readonly Point[] }
  | { does: 'invert' }
  | { does: 'clear' }

export interface Acts {
  past: readonly Act[]
  future: readonly Act[]
}

/** As it is shown; how opaque it is, is what counts. */
export const COLOUR = '#ff007a'

export const NONE: Acts = { past: [], future: [] }

export function done({ past }: Acts, act: Act): Acts {
  return { past: [...past, act], future: [] }
}

export function undone({ past, future }: Acts): Acts {
  const last = past.at(-1)
  return last ? { past: past.slice(0, -1), future: [...future, last] } : { past, future }
}

export function redone({ past, future }: Acts): Acts {
  const next = future.at(-1)
  return next ? { past: [...past, next], future: future.slice(0, -1) } : { past, future }
}

/** Draw one act onto a mask: what is marked is opaque, the rest transparent. */
export function draw(context: CanvasRenderingContext2D, act: Act): void {
  const { width, height } = context.canvas
  context.save()
  context.fillStyle = context.strokeStyle = COLOUR
  context.lineCap = context.lineJoin = 'round'
  if (act.does === 'clear') context.clearRect(0, 0, width, height)
  else if (act.does === 'invert') {
    context.globalCompositeOperation = 'xor'
    context.fillRect(0, 0, width, height)
  } else if (act.does === 'lasso') {
    context.globalCompositeOperation = act.takes ? 'source-over' : 'destination-out'
    context.beginPath()
    for (const [x, y] of act.points) context.lineTo(x, y)
    context.fill()
  } else {
    context.globalCompositeOperation = act.does === 'brush' ? 'source-over' : 'destination-out'
    line(context, act.points, act.size, 0)
  }
  context.restore()
}

/** The part of a stroke from one of its points on, as wide as it was pressed. */
export function line(
  context: CanvasRenderingContext2D,
  points: readonly Point[],
  size: number,
  from: number,
): void {
  const [only] = points
  if (points.length === 1 && only) {
    context.beginPath()
    context.arc(only[0], only[1], width(size, only[2]) / 2, 0, 2 * Math.PI)
    context.fill()
  }
  for (let at = Math.max(1, from); at < points.length; at++) {
    const [before, now] = [points[at - 1], points[at]] as [Point, Point]
    context.lineWidth = width(size, now[2])
    context.beginPath()
    context.moveTo(before[0], before[1])
    context.lineTo(now[0], now[1])
    context.stroke()
  }
}

/** How wide a pen draws: half at the lightest touch. */
export function width(size: number, pressure: number): number {
  return size * (0.5 + 0.5 * pressure)
}

/** A mask with a soft edge: three box blurs, which is close to a Gaussian. Works on one value for each pixel. */
export function feather(
  mask: Uint8ClampedArray,
  across: number,
  down: number,
  radius: number,
): Uint8ClampedArray {
  let found = mask
  const reach = Math.round(radius / 2)
  for (let turn = 0; turn < 3 && reach > 0; turn++) {
    found = blurred(found, across, down, reach, 1, across)
    found = blurred(found, down, across, reach, across, 1)
  }
  return found
}

/** The mean of so many pixels before and behind, along one side. */
function blurred(
  from: Uint8ClampedArray,
  length: number,
  lines: number,
  reach: number,
  step: number,
  next: number,
): Uint8ClampedArray {
  const into = new Uint8ClampedArray(from.length)
  for (let line = 0; line < lines; line++) {
    const start = line * next
    const at = (place: number) => from[start + Math.min(length - 1, Math.max(0, place)) * step] ?? 0
    let sum = 0
    for (let place = -reach; place <= reach; place++) sum += at(place)
    for (let place = 0; place < length; place++) {
      into[start + place * step] = sum / (2 * reach + 1)
      sum += at(place + reach + 1) - at(place - reach)
    }
  }
  return into
}
