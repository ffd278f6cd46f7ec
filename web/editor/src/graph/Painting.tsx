import { type ReactNode, useMemo } from 'react'
import { PaintContext } from '../mask/paint'
import { useGraph } from './store'

/** Lets masks be painted over the pictures that the graph opens. */
export function Painting({ children }: { children: ReactNode }) {
  const steps = useGraph((one) => one.history.document.steps)
  const paint = useMemo(
    () => ({
      masked: false,
      pictures: Object.values(steps ?? {}).flatMap(({ node, values }) =>
        node === 'load_image' && typeof values?.image === 'string' ? [values.image] : [],
      ),
    }),
    [steps],
  )
  return <PaintContext value={paint}>{children}</PaintContext>
}
