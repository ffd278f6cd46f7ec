/** Lines on the canvas: the curve of a wire, what it crosses and what it runs under. */
export type Point = [x: number, y: number]

const PIECES = 24

export type Bend = 'spline' | 'straight' | 'step'

/** Points along a wire, as it is drawn, from an output, by its reroutes, to an input. */
export function along(from: Point, to: Point, by: readonly Point[] = [], bend: Bend = 'spline'): Point[] {
  const stops = [from, ...by, to]
  const piece = { spline: bezier, straight: line, step }[bend]
  return stops.slice(1).flatMap((stop, index) => piece(stops[index] ?? from, stop))
}

/** As `along`, as an SVG path; straight or in steps, if that is liked better. */
export function path(from: Point, to: Point, by: readonly Point[] = [], bend: Bend = 'spline'): string {
  const stops = [from, ...by, to]
  if (bend !== 'spline')
    return stops.slice(1).reduce((drawn, [x, y], index) => {
      const middle = ((stops[index] ?? from)[0] + x) / 2
      return `${drawn}${bend === 'step' ? ` H ${middle} V ${y}` : ''} L ${x} ${y}`
    }, `M ${from[0]} ${from[1]}`)
  return stops.slice(1).reduce((drawn, [x, y], index) => {
    const [a, b] = stops[index] ?? from
    const pull = reach(x - a)
    return `${drawn} C ${a + pull} ${b} ${x - pull} ${y} ${x} ${y}`
  }, `M ${from[0]} ${from[1]}`)
}

/** Whether a curve, given by its points, crosses the straight line from a to b. */
export function crosses(points: readonly Point[], a: Point, b: Point): boolean {
  return points.slice(1).some((point, index) => cross(points[index] ?? point, point, a, b))
}

/** Whether a curve runs under a box. */
export function under(points: readonly Point[], at: Point, width: number, height: number): boolean {
  return points.some(([x, y]) => x > at[0] && x < at[0] + width && y > at[1] && y < at[1] + height)
}

/** The reroutes with one more where it makes the smallest detour. */
export function withStop(from: Point, to: Point, by: readonly Point[], stop: Point): Point[] {
  const stops = [from, ...by, to]
  const detours = stops
    .slice(1)
    .map((next, index) => far(stops[index] ?? from, stop) + far(stop, next) - far(stops[index] ?? from, next))
  const best = detours.indexOf(Math.min(...detours))
  return [...by.slice(0, best), [Math.round(stop[0]), Math.round(stop[1])], ...by.slice(best)]
}

function bezier([a, b]: Point, [x, y]: Point): Point[] {
  const pull = reach(x - a)
  return Array.from({ length: PIECES + 1 }, (_, piece) => {
    const t = piece / PIECES
    const [p, q, r, s] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3]
    return [p * a + q * (a + pull) + r * (x - pull) + s * x, (p + q) * b + (r + s) * y]
  })
}

function line(from: Point, to: Point): Point[] {
  return Array.from({ length: PIECES + 1 }, (_, piece) => {
    const t = piece / PIECES
    return [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])]
  })
}

function step(from: Point, to: Point): Point[] {
  const middle = (from[0] + to[0]) / 2
  const corners: Point[] = [from, [middle, from[1]], [middle, to[1]], to]
  return corners.slice(1).flatMap((corner, index) => line(corners[index] ?? from, corner))
}

function reach(dx: number): number {
  return dx >= 0 ? Math.max(24, dx / 2) : Math.min(180, 40 - dx / 4)
}

function far([a, b]: Point, [x, y]: Point): number {
  return Math.hypot(x - a, y - b)
}

function cross(a: Point, b: Point, c: Point, d: Point): boolean {
  return side(a, c, d) !== side(b, c, d) && side(a, b, c) !== side(a, b, d)
}

function side(a: Point, b: Point, c: Point): boolean {
  return (c[1] - a[1]) * (b[0] - a[0]) > (b[1] - a[1]) * (c[0] - a[0])
}
