/** What is dropped or pasted onto the graph: a workflow file, a picture that holds one, or a picture to use. */

import { produce } from 'immer'
import { ask, Refused } from '../api/client'
import type { Recipe } from '../api/types'
import { upload } from '../common/files'
import { usePalette } from '../common/palette'
import { ARTIFACT, showRecipe } from '../common/reuse'
import { say } from '../common/toast'
import { words } from '../common/words'
import { documentOf } from '../create/workflows'
import { useCamera } from './camera'
import { placeFor, reveal } from './lying'
import { type At, add, all, given, move, setValue } from './model/commands'
import { NotAWorkflow, split, write } from './model/document'
import { currentDocument, perform, select, show, useGraph } from './store'

/** The node that a picture becomes. */
const OPENS = 'load_image'

/** `at`: where it was let go, on the canvas. */
export async function take(data: DataTransfer, at?: At): Promise<void> {
  const [file, id] = [data.files[0], data.getData(ARTIFACT)]
  if (id) use(id, at)
  else if (file) await takeFile(file, at)
  else if (data.getData('text/plain')) await tried(show('', null, data.getData('text/plain')))
}

export function takeFile(file: File, at?: At): Promise<void> {
  return tried(read(file, at))
}

async function tried(taken: Promise<void>): Promise<void> {
  try {
    await taken
  } catch (error) {
    tell(error)
  }
}

function tell(error: unknown): void {
  if (!(error instanceof NotAWorkflow) && !(error instanceof Refused)) throw error
  useGraph.setState({ said: error.message })
}

async function read(file: File, at?: At): Promise<void> {
  if (file.type === 'application/json' || file.name.endsWith('.json'))
    return show('', null, await file.text())
  if (await takeWords(file, async () => use((await upload(file)).id, at))) return
  const kept = await upload(file)
  try {
    await showRecipe(await ask<Recipe>(`/api/artifacts/${kept.id}/recipe`))
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error
    use(kept.id, at) // it holds no workflow: then it is a picture to work on
  }
}

/** Open text-to-image as another program says that it made this picture; false if none says so. */
async function takeWords(file: File, asPicture: () => Promise<void>): Promise<boolean> {
  const { sentences, taken, TAKES_WORDS, toldIn } = await import('../common/foreign/take')
  const told = await toldIn(file)
  const found = told && (await taken(told))
  const document = documentOf(TAKES_WORDS)
  if (!found || !document) return false
  await show('', null, write(document))
  const step = split(document.inputs?.method?.to[0] ?? '')[0]
  const spaced = found.spacing !== '' && document.steps?.[step] !== undefined
  perform(
    words().foreign.edit,
    all(given(found.inputs), ...(spaced ? [setValue('', step, 'spacing', found.spacing)] : [])),
  )
  say(sentences(found, spaced), words().foreign.asPicture, () => asPicture().catch(tell))
  return true
}

/** Put a picture of the server onto the graph. */
export function use(id: string, at?: At): void {
  const spec = usePalette.getState().nodes.get(OPENS)
  if (!spec) return
  const { group } = useGraph.getState()
  const document = currentDocument()
  const wanted = at ?? useCamera.getState().camera?.middle().at ?? [0, 0]
  const [change, name] = add(document, group, spec, wanted, { image: id })
  const place = placeFor(produce(document, change), name, wanted)
  perform(words().edits.addPicture, all(change, move(group, { [name]: place })))
  select([name])
  reveal([name])
}
