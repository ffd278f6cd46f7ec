/** Asking the server: one function, whose refusals say what is wrong and what to do. */
import { words } from '../common/words'
import type { Problem } from './types'

/** Where the app lives: the server's own root, also behind a prefix. */
export const ROOT = new URL('./', document.baseURI)

/** A refusal of the server, or no answer at all. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly problems: readonly Problem[] = [],
  ) {
    super(message)
  }
}

export interface Asked {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Sent to its end even if the page is left. */
  keepalive?: boolean
}

/** The JSON that the server answers. Raises Refused. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await send(path, asked)
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** The answer itself, for whoever needs its headers. Raises Refused. */
export async function send(
  path: string,
  { method = 'GET', body, headers = {}, signal, keepalive = false }: Asked = {},
): Promise<Response> {
  const raw = body instanceof Blob || typeof body === 'string'
  const init: RequestInit = {
    method,
    headers: {
      ...(body === undefined || body instanceof Blob ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
  }
  if (body !== undefined) init.body = raw ? body : JSON.stringify(body)
  if (signal) init.signal = signal
  if (keepalive) init.keepalive = true
  let response: Response
  try {
    response = await fetch(url(path), init)
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Refused(words().app.silent, 0)
  }
  if (!response.ok) throw await refusal(response)
  return response
}

export function url(path: string): string {
  return new URL(path.replace(/^\//, ''), ROOT).href
}

async function refusal(response: Response): Promise<Refused> {
  try {
    const said = await response.json()
    return new Refused(said.detail ?? said.title ?? response.statusText, response.status, said.problems ?? [])
  } catch {
    return new Refused(words().app.answered(response.status, response.statusText), response.status)
  }
}
