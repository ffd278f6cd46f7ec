/** Workflows as files and links: how they leave, and how a file comes in. */
import { url } from '../api/client'
import { say } from '../common/toast'
import { words } from '../common/words'
import { takeFile } from './drop'
import { write } from './model/document'
import { currentDocument, dirty, useGraph } from './store'

/** What is on the screen, as a file; it need not be saved for that. */
export function download(): void {
  const { name } = useGraph.getState()
  const address = URL.createObjectURL(new Blob([write(currentDocument())], { type: 'application/json' }))
  const link = Object.assign(document.createElement('a'), {
    href: address,
    download: `${name || 'workflow'}.json`,
  })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 1000) // the browser may still be reading it
}

/** The address of the saved workflow, for everybody who can reach this server. */
export async function copyLink(): Promise<void> {
  const state = useGraph.getState()
  if (state.name === '') return say(words().rail.linkNone)
  const address = url(`/graph/${encodeURIComponent(state.name)}`)
  try {
    await navigator.clipboard.writeText(address)
    say(dirty(state) ? words().rail.linkOlder : words().rail.linkSaved)
  } catch {
    say(address) // only pages from this machine or over TLS may write into the clipboard
  }
}

/** Choose a workflow file, or a picture that holds one. */
export function openFile(): void {
  const field = Object.assign(document.createElement('input'), { type: 'file', accept: '.json,image/*' })
  field.hidden = true
  field.onchange = () => {
    if (field.files?.[0]) void takeFile(field.files[0])
    field.remove()
  }
  field.oncancel = () => field.remove()
  document.body.append(field) // one that nobody holds may be gone before a file is chosen
  field.click()
}
