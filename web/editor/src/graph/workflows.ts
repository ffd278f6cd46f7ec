/** The library, as it is changed from the editor: rename, delete, and take that back. */
import { create } from 'zustand'
import { ask, send } from '../api/client'
import { address } from './store'
import { renamed } from './tabs'

interface Gone {
  name: string
  text: string
}
export const useGone = create<{ gone: Gone | null }>(() => ({ gone: null }))

/** Give a workflow another name. Its versions stay under the old one. Raises Refused if the name is taken. */
export async function rename(from: string, to: string): Promise<void> {
  const { text, etag } = await fetched(from)
  const kept = await put(to, text)
  await ask(address(from), { method: 'DELETE', headers: { 'If-Match': etag } })
  renamed(from, to, kept)
}

/** Delete a workflow; for a while it can be taken back. */
export async function remove(name: string): Promise<void> {
  const { text, etag } = await fetched(name)
  await ask(address(name), { method: 'DELETE', headers: { 'If-Match': etag } })
  renamed(name, '', null)
  useGone.setState({ gone: { name, text } })
}

export async function takeBack({ name, text }: Gone): Promise<void> {
  useGone.setState({ gone: null })
  await put(name, text)
}

async function put(name: string, text: string): Promise<string> {
  const { etag } = await ask<{ etag: string }>(address(name), {
    method: 'PUT',
    body: text,
    headers: { 'If-None-Match': '*' },
  })
  return `"${etag}"`
}

async function fetched(name: string): Promise<{ text: string; etag: string }> {
  const response = await send(address(name))
  return { text: await response.text(), etag: response.headers.get('ETag') ?? '' }
}
