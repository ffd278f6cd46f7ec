/** The workflows that can be called by a form, and what was last typed into it. */
import { useEffect } from 'react'
import { create } from 'zustand'
import { ask, send } from '../api/client'
import { live } from '../api/live'
import { type Document, read } from '../graph/model/document'
import type { Field } from '../graph/model/form'
import type { Json } from '../graph/model/ports'

export interface Listed {
  name: string
  title: string
  shipped: boolean
  published: boolean
  inputs: Record<string, { to: string[]; title?: string }>
}
interface State {
  listed: Listed[]
  documents: Record<string, Document>
  asked: boolean
}

const useState = create<State>(() => ({ listed: [], documents: {}, asked: false }))

export function useWorkflows(): State {
  useEffect(() => {
    if (useState.getState().asked) return
    useState.setState({ asked: true })
    void list()
    live.listen({
      event: ({ kind, data }) => {
        if (kind !== 'workflow.saved' && kind !== 'workflow.deleted') return
        void list()
        if (typeof data.name === 'string' && data.name in useState.getState().documents)
          void fetchOne(data.name)
      },
    })
  }, [])
  return useState()
}

/** Fetch a workflow unless it is here. */
export async function open(name: string): Promise<void> {
  if (!(name in useState.getState().documents)) await fetchOne(name)
}

export function documentOf(name: string): Document | undefined {
  return useState.getState().documents[name]
}

async function fetchOne(name: string): Promise<void> {
  const document = read(await (await send(`/api/workflows/${encodeURIComponent(name)}`)).text())
  useState.setState(({ documents }) => ({ documents: { ...documents, [name]: document } }))
}

async function list(): Promise<void> {
  const { workflows } = await ask<{ workflows: Listed[] }>('/api/workflows')
  useState.setState({ listed: workflows })
}

export interface Remembered {
  workflow?: string
  inputs?: Record<string, Json>
  ids?: string[]
}
const KEY = 'tessera.create'

/** What this window had typed in before it was loaded anew. */
export function remember(): Remembered {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '{}')
  } catch {
    return {}
  }
}

export function keep(now: Remembered): void {
  sessionStorage.setItem(KEY, JSON.stringify(now))
}

const TAKES = /^(picture|image|start|photo|first)/ // what inputs for a picture are called

/** Whether an app takes a picture, as far as its inputs are called so. */
export function takesPicture(listed: readonly Listed[], app: string): boolean {
  return Object.keys(listed.find((one) => one.name === app)?.inputs ?? {}).some((input) => TAKES.test(input))
}

/** Where a picture goes that somebody brings: the first place that is empty, or else the first. */
export function pictureOf(form: readonly Field[], given: Record<string, Json>): Field | undefined {
  const places = form.filter(
    ({ port, name }) => port.type === 'class' && port.ancestry.includes('Artifact') && !name.includes('mask'),
  )
  return places.find(({ name }) => !given[name]) ?? places[0]
}
