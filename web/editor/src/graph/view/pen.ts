/** A canvas made as large as asked, in the screen's own pixels, and the theme's colours to paint it with. */
export function penOf(canvas: HTMLCanvasElement | null, width: number, height: number) {
  const pen = canvas?.getContext('2d')
  if (!pen || !canvas) return null
  const dress = getComputedStyle(canvas)
  const fine = window.devicePixelRatio
  canvas.width = width * fine
  canvas.height = height * fine
  return { pen, dress, fine, colour: (name: string) => dress.getPropertyValue(`--${name}`) }
}
