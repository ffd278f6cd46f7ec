/** Two fingers zoom and move the canvas also where they rest on cards, which the drawing library leaves out. */
import { useReactFlow } from '@xyflow/react'
import { type RefObject, useEffect } from 'react'

interface Grip {
  x: number
  y: number
  span: number
}

export function usePinch(place: RefObject<HTMLElement | null>, least: number, most: number): void {
  const flow = useReactFlow()
  useEffect(() => {
    const element = place.current
    let grip: Grip | null = null
    let held: EventTarget[] = []
    const move = (event: Event) => {
      const now = gripOf(event as TouchEvent)
      if (!grip || !now || !element) return
      event.preventDefault()
      event.stopPropagation()
      const { left, top } = element.getBoundingClientRect()
      const { x, y, zoom } = flow.getViewport()
      const next = Math.min(most, Math.max(least, (zoom * now.span) / grip.span))
      const grows = next / zoom
      void flow.setViewport({
        zoom: next,
        x: now.x - left - (grip.x - left - x) * grows,
        y: now.y - top - (grip.y - top - y) * grows,
      })
      grip = now
    }
    const end = () => {
      grip = null
      // A card may leave the page meanwhile, for it is too small to be drawn: only it hears of its finger then.
      for (const one of held) one.removeEventListener('touchmove', move)
      held = []
    }
    const start = (event: TouchEvent) => {
      end()
      const targets = [...event.touches].map(({ target }) => target)
      if (!targets.some((one) => one instanceof Element && one.closest('.react-flow__node'))) return
      grip = gripOf(event)
      held = grip ? targets : []
      for (const one of held) one.addEventListener('touchmove', move, { passive: false })
    }
    element?.addEventListener('touchstart', start, { passive: true, capture: true })
    window.addEventListener('touchend', end)
    window.addEventListener('touchcancel', end)
    return () => {
      end()
      element?.removeEventListener('touchstart', start, { capture: true })
      window.removeEventListener('touchend', end)
      window.removeEventListener('touchcancel', end)
    }
  }, [flow, place, least, most])
}

function gripOf({ touches: [one, other, third] }: TouchEvent): Grip | null {
  if (!one || !other || third) return null
  return {
    x: (one.clientX + other.clientX) / 2,
    y: (one.clientY + other.clientY) / 2,
    span: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
  }
}
