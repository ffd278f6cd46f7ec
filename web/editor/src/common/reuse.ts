/** From a picture back to what made it: into the form of Create, or onto the graph. */

import { ask, Refused } from '../api/client'
import type { Recipe } from '../api/types'
import { documentOf, keep, open, pictureOf, remember } from '../create/workflows'
import { given } from '../graph/model/commands'
import { type Document, write } from '../graph/model/document'
import { fields } from '../graph/model/form'
import type { Json } from '../graph/model/ports'
import { usePalette } from './palette'
import { say } from './toast'
import { words } from './words'

/** What a picture is dragged as, also onto a node: its value is the id of a file. */
export const ARTIFACT = 'application/x-tessera-artifact'

type Go = (to: string) => void

/** Fill the form of Create like that of the run which made a file. */
export async function reuse(id: string, run: string, what: 'all' | 'prompt' | 'seed', go: Go): Promise<void> {
  const found = await recipe(id)
  if (!found) return
  const now = remember()
  const inputs = found.inputs as Record<string, Json>
  if (what === 'all') {
    if (!found.name) {
      say(words().reuse.asGraph)
      return openRecipe(found, go)
    }
    keep({ workflow: found.name, inputs, ids: run ? [run] : [] })
  } else if (what === 'prompt') {
    const { prompt, negative } = inputs
    if (prompt === undefined) return say(words().reuse.noPrompt)
    const both = negative === undefined ? { prompt } : { prompt, negative }
    keep({ ...now, inputs: { ...now.inputs, ...both }, ids: [] })
  } else {
    const seed = inputs.seed ?? (Object.values(found.seeds)[0] as Json | undefined)
    if (seed === undefined) return say(words().reuse.noSeed)
    keep({ ...now, inputs: { ...now.inputs, seed }, ids: [] })
  }
  go('/')
}

/** Open the workflow that made a file, with the values it was given. */
export async function openWorkflow(id: string, go: Go): Promise<void> {
  const found = await recipe(id)
  if (found) await openRecipe(found, go)
}

/** Open the graph of a run, with the values it was given and what came of it. */
export async function openRun(id: string, go: Go): Promise<void> {
  const { showRun } = await import('../graph/tabs')
  try {
    await showRun(id, null)
    go('/graph')
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    say(error.message)
  }
}

/** Let the form of an app begin with this picture. */
export async function startFrom(id: string, app: string, go: Go): Promise<void> {
  await open(app)
  const document = documentOf(app)
  const { inputs = {} } = remember()
  const place = document && pictureOf(fields(document, usePalette.getState().nodes), inputs)
  keep({ workflow: app, inputs: place ? { ...inputs, [place.name]: id } : inputs, ids: [] })
  go(`/?workflow=${encodeURIComponent(app)}`)
}

async function openRecipe(found: Recipe, go: Go): Promise<void> {
  await showRecipe(found)
  go('/graph')
}

/** Put the workflow of a picture onto the graph, in a tab of its own. */
export async function showRecipe({ workflow, inputs }: Recipe): Promise<void> {
  const [{ perform, show }] = await Promise.all([import('../graph/store'), import('../graph/tabs')])
  await show('', null, write(workflow as unknown as Document))
  perform(words().edits.asMade, given(inputs as Record<string, Json>))
}

async function recipe(id: string): Promise<Recipe | null> {
  try {
    return await ask<Recipe>(`/api/artifacts/${id}/recipe`)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    say(error.message)
    return null
  }
}
