/** A picture of another program, taken for what it says: how it was made. */
import { ask } from '../../api/client'
import type { Models } from '../../api/types'
import { documentOf, open } from '../../create/workflows'
import { fields } from '../../graph/model/form'
import { usePalette } from '../palette'
import { words } from '../words'
import { embedded } from './embedded'
import { type Fitted, fitted, parse, type Told } from './parameters'

/** What takes over settings that come from elsewhere. */
export const TAKES_WORDS = 'text_to_image'

/** What a picture says of how another program made it; null if it says nothing of the kind. */
export async function toldIn(file: Blob): Promise<Told | null> {
  const text = file.type.startsWith('image/') ? await embedded(file) : null
  return text === null ? null : parse(text)
}

/** As much of it as the form of text-to-image takes. Raises Refused. */
export async function taken(told: Told): Promise<Fitted> {
  const [{ models }] = await Promise.all([ask<Models>('/api/models?kind=model'), open(TAKES_WORDS)])
  const document = documentOf(TAKES_WORDS)
  const form = document ? fields(document, usePalette.getState().nodes) : []
  return fitted(
    told,
    form,
    models.map((one) => one.name),
  )
}

/** What was taken and what was not, in a sentence each. */
export function sentences({ taken, left, spacing }: Fitted, spaced: boolean): string {
  const { foreign: says } = words()
  const parts = spaced && spacing ? [...taken, 'spacing' as const] : taken
  const rest = left.map(({ name, value, missing }) => (missing ? says.missing(value) : `${name} ${value}`))
  if (!spaced && spacing) rest.push(`${says.parts.spacing} ${spacing}`)
  return [
    says.taken(parts.map((part) => says.parts[part]).join(', ')),
    rest.length > 0 ? says.left(rest.join(', ')) : '',
  ]
    .filter(Boolean)
    .join(' ')
}
