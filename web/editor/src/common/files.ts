/** Files on the server. */
import { ask } from '../api/client'
import type { FileView } from '../api/types'

export function upload(
  file: File | Blob,
  name = file instanceof File ? file.name : 'picture.png',
): Promise<FileView> {
  return ask(`/api/artifacts?name=${encodeURIComponent(name)}`, {
    method: 'POST',
    body: file,
    headers: { 'Content-Type': 'application/octet-stream' },
  })
}

/** The pictures and clips among the outputs of a run. */
export function filesOf(outputs: Record<string, unknown>): FileView[] {
  return Object.values(outputs).flat().filter(isFile)
}

export function isFile(value: unknown): value is FileView {
  return typeof value === 'object' && value !== null && 'sha256' in value && 'mime' in value && 'url' in value
}
