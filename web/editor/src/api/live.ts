/** Everything that happens on the server, as it happens: one websocket, taken up again where it broke off. */
import { url } from './client'

export interface Event {
  seq: number
  kind: string
  at: number
  job: string
  data: Record<string, unknown>
}
export interface Preview {
  job: string
  step: string
  picture: Blob
}
export interface Listener {
  event?(event: Event): void
  preview?(preview: Preview): void
  /** Whether the server can be heard. */
  connected?(yes: boolean): void
}

const HEAD = 4
const FIRST_WAIT = 250 // milliseconds
const LONGEST_WAIT = 8000

export class Live {
  private listeners = new Set<Listener>()
  private seq: number | null = null
  private wait = FIRST_WAIT
  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Be told, until the function that this answers is called. The first listener opens the connection. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    if (!this.socket && this.timer === undefined) this.open()
    return () => this.listeners.delete(listener)
  }

  /** Ask at once instead of when it would be time: somebody looks, or the network is back. */
  hurry(): void {
    if (this.timer === undefined) return
    clearTimeout(this.timer)
    this.open()
  }

  private open(): void {
    this.timer = undefined
    const address = url(`/ws${this.seq === null ? '' : `?after=${this.seq}`}`).replace(/^http/, 'ws')
    const socket = new WebSocket(address)
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onmessage = ({ data }) =>
      typeof data === 'string' ? this.heard(JSON.parse(data)) : this.saw(data)
    socket.onclose = () => this.lost()
  }

  private heard(event: Event): void {
    if (event.kind === 'hello') {
      this.wait = FIRST_WAIT
      this.seq ??= event.seq
      for (const listener of this.listeners) listener.connected?.(true)
      return
    }
    this.seq = Math.max(this.seq ?? 0, event.seq)
    for (const listener of this.listeners) listener.event?.(event)
  }

  private saw(data: ArrayBuffer): void {
    const view = new DataView(data)
    if (view.getUint8(0) !== 1 || view.getUint8(1) !== 1) return // of a later version
    const length = view.getUint16(2)
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, HEAD, length)))
    const picture = new Blob([new Uint8Array(data, HEAD + length)], { type: head.mime })
    for (const listener of this.listeners) listener.preview?.({ job: head.job, step: head.step, picture })
  }

  private lost(): void {
    this.socket = null
    for (const listener of this.listeners) listener.connected?.(false)
    this.timer = setTimeout(() => this.open(), this.wait)
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2)
  }
}

export const live = new Live()
addEventListener('online', () => live.hurry())
document.addEventListener('visibilitychange', () => document.hidden || live.hurry())
