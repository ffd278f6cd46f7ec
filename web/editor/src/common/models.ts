/** The models of this machine and those being fetched. */

import { useEffect, useMemo } from 'react'
import { create } from 'zustand'
import { ask } from '../api/client'
import { live } from '../api/live'
import type { Fetching, Model, Models, Offered, Short } from '../api/types'
import { decimal } from './typical'

interface State {
  models: Model[]
  /** What they take on disk together. */
  bytes: number
  known: Short[]
  /** By id. */
  fetches: Record<string, Fetching>
  asked: boolean
  loaded: boolean
}
/** What the source of a model is asked for. */
export interface Wish {
  what: string
  kind?: string | null
  name?: string
}

export const useShelf = create<State>(() => ({
  models: [],
  bytes: 0,
  known: [],
  fetches: {},
  asked: false,
  loaded: false,
}))

export function useModels(kind: string): Model[] {
  const { models } = useModelShelf()
  return useMemo(() => models.filter((one) => kind === '' || one.kind === kind), [models, kind])
}

/** Everything that is known of models, kept up to date from the first time that somebody asks. */
export function useModelShelf(): State {
  useEffect(() => {
    if (useShelf.getState().asked) return
    useShelf.setState({ asked: true })
    live.listen({ event: ({ kind, data }) => heard(kind, data) })
    void fetchModels()
    void fetchFetches()
  }, [])
  return useShelf()
}

function heard(kind: string, data: Record<string, unknown>): void {
  if (kind === 'model.fetch') {
    keep(data as unknown as Fetching)
    if (data.state === 'done') void fetchModels()
  } else if (kind === 'model.progress') {
    const known = useShelf.getState().fetches[String(data.id)]
    if (known) keep({ ...known, bytes: Number(data.bytes), total: Number(data.total) })
  }
}

async function fetchModels(): Promise<void> {
  const { models, known, bytes } = await ask<Models>('/api/models')
  useShelf.setState({ models, known, bytes, loaded: true })
}

async function fetchFetches(): Promise<void> {
  const { fetches } = await ask<{ fetches: Fetching[] }>('/api/models/fetch')
  for (const one of fetches) keep(one)
}

function keep(one: Fetching): void {
  useShelf.setState(({ fetches }) => ({ fetches: { ...fetches, [one.id]: one } }))
}

/** What its source says of a model. Raises Refused. */
export function offered(wish: Wish): Promise<Offered> {
  return ask<Offered>('/api/models/offer', { method: 'POST', body: filled(wish) })
}

/** Fetch it, with the licence as it was read. Raises Refused. */
export async function bring(wish: Wish, licence: string): Promise<string> {
  const started = await ask<Fetching>('/api/models/fetch', {
    method: 'POST',
    body: { ...filled(wish), licence },
  })
  keep(started)
  return started.id
}

export function leave(id: string): Promise<unknown> {
  return ask(`/api/models/fetch/${id}`, { method: 'DELETE' })
}

function filled(wish: Wish): Record<string, string> {
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value)) as Record<string, string>
}

/** A size as people say it. */
export function size(bytes: number): string {
  if (bytes <= 0) return ''
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`
  return bytes < 1e9 ? `${decimal(bytes / 1e6, bytes < 1e7 ? 1 : 0)} MB` : `${decimal(bytes / 1e9, 1)} GB`
}
