/** A picture looked at closely: how large, and moved how far from the middle. */
export interface View {
  /** 1 is one pixel of the picture for one of the screen; 0 is as large as fits. */
  scale: number
  x: number
  y: number
}

export const FITTED: View = { scale: 0, x: 0, y: 0 }
const LEAST = 0.05
const MOST = 16

/** Nearer or farther, with the point under the pointer (from the middle of the window) staying there. */
export function zoomed(view: View, fit: number, factor: number, x = 0, y = 0): View {
  const before = view.scale || fit
  const scale = Math.min(MOST, Math.max(Math.min(LEAST, fit), before * factor))
  if (scale <= fit && factor < 1) return FITTED
  const by = scale / before
  return { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by }
}

/** Kept so that a part of the picture stays in sight. */
export function kept(view: View, size: [number, number], room: [number, number]): View {
  if (view.scale === 0) return view
  const far = (index: 0 | 1) => Math.max(0, (size[index] * view.scale - room[index]) / 2 + 40)
  const within = (value: number, most: number) => Math.min(most, Math.max(-most, value))
  return { ...view, x: within(view.x, far(0)), y: within(view.y, far(1)) }
}
