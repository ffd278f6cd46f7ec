/** What the server says of its nodes. */
import type { Json, Port } from './ports'

export interface InputSpec {
  name: string
  port: Port
  schema: Record<string, Json>
  required: boolean
  default?: Json
}
export interface OutputSpec {
  name: string
  port: Port
}
export interface NodeSpec {
  id: string
  version: number
  title: string
  help: string
  category: string
  kind: 'pure' | 'source' | 'effect'
  lane: string
  pack?: string
  inputs: InputSpec[]
  outputs: OutputSpec[]
}
export type Nodes = ReadonlyMap<string, NodeSpec>

export function inputOf(spec: NodeSpec | undefined, name: string): InputSpec | undefined {
  return spec?.inputs.find((one) => one.name === name)
}

/** The first line of a node's help. */
export function summary(spec: NodeSpec): string {
  return spec.help.split('\n', 1)[0] ?? ''
}
