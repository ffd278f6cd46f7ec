/** Something that a component asks the server for and shows when it is there. */
import { useCallback, useEffect, useState } from 'react'
import { ask, Refused } from '../api/client'

export interface Asked<T> {
  value: T | null
  problem: string
  again: () => void
}

/** What is at this address; null asks for nothing. */
export function useAsked<T>(path: string | null): Asked<T> {
  const [found, setFound] = useState<{ path: string; value: T | null; problem: string } | null>(null)
  const [turn, setTurn] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another turn asks for the same again
  useEffect(() => {
    if (path === null) return
    const control = new AbortController()
    ask<T>(path, { signal: control.signal }).then(
      (value) => setFound({ path, value, problem: '' }),
      (error) => {
        if (control.signal.aborted) return
        if (!(error instanceof Refused)) throw error
        setFound({ path, value: null, problem: error.message })
      },
    )
    return () => control.abort()
  }, [path, turn])
  const again = useCallback(() => setTurn((now) => now + 1), [])
  const here = found?.path === path ? found : null
  return { value: here?.value ?? null, problem: here?.problem ?? '', again }
}
