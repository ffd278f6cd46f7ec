/** The nodes of the server, fetched once and again when packs were loaded anew. */
import { create } from 'zustand'
import { ask } from '../api/client'
import { live } from '../api/live'
import type { NodeSpec, Nodes } from '../graph/model/nodes'

interface State {
  nodes: Nodes
  failed: { pack: string; reason: string }[]
  loaded: boolean
}

export const usePalette = create<State>(() => ({ nodes: new Map(), failed: [], loaded: false }))

/** When the nodes are there. */
export function nodesThere(): Promise<void> {
  if (usePalette.getState().loaded) return Promise.resolve()
  return new Promise((there) => {
    const end = usePalette.subscribe(({ loaded }) => {
      if (!loaded) return
      end()
      there()
    })
  })
}

export async function fetchNodes(): Promise<void> {
  const { nodes, failed } = await ask<{ nodes: NodeSpec[]; failed: State['failed'] }>('/api/nodes')
  usePalette.setState({ nodes: new Map(nodes.map((one) => [one.id, one])), failed, loaded: true })
}

export async function followNodes(): Promise<void> {
  live.listen({ event: ({ kind }) => kind === 'packs' && void fetchNodes() })
  await fetchNodes()
}
