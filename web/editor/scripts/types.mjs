/** Writes `src/api/types.ts` from what the server says of its own routes (openapi.json, on standard input). */
import { readFileSync, writeFileSync } from 'node:fs'
import { compile } from 'json-schema-to-typescript'

const { components } = JSON.parse(readFileSync(0, 'utf8'))
/** A struct has exactly its fields; an object without any is a dictionary. */
const open = (_, value) =>
  value?.type === 'object' && !value.properties && !value.additionalProperties
    ? { ...value, additionalProperties: true }
    : value
const schemas = JSON.stringify(components.schemas, open).replaceAll('#/components/schemas/', '#/definitions/')
const definitions = JSON.parse(schemas)
const text = await compile({ title: 'Api', type: 'object', definitions }, 'Api', {
  unreachableDefinitions: true,
  additionalProperties: false,
  bannerComment: '/** What the server answers and takes. Written by `make`; not to be changed by hand. */',
  format: false,
})
writeFileSync(new URL('../src/api/types.ts', import.meta.url), text)
