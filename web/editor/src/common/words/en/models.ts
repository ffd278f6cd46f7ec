/** The page Models, and what is missing. */
export const models = {
  title: 'Models',
  here: (count: number, size: string) => `${count} here, ${size}`,
  looking: 'Looking…',
  find: 'Find or fetch a model',
  findSays: 'Find here, or fetch: a short name, org/name, or an https address',
  kind: 'Kind',
  everyKind: 'every kind',
  ask: 'Ask its source',
  asked: 'What is asked for',
  fetching: 'Being fetched',
  list: 'Models on this machine',
  name: 'Name',
  size: 'Size',
  from: 'From',
  none: 'None here has such a name. Ask its source above.',
  others: 'Can be fetched',
}

export const fetching = {
  asking: 'Asking its source…',
  silent: 'Its source does not answer.',
  failed: 'It could not be fetched.',
  noLicence: 'no licence is said: look at its page',
  gated: 'only for those who accepted its licence with an account',
  converted: 'converted to safetensors here',
  done: (name: string) => `${name} is here.`,
  doneAs: (name: string, as: string) => `${name} is here as ${as}.`,
  use: (name: string) => `Use ${name}`,
  again: 'Ask again',
  get: (name: string) => `Get ${name}`,
  way: (bytes: string, total: string) => `${bytes} of ${total}`,
  states: { waiting: 'waiting', running: 'running', done: 'done', failed: 'failed', stopped: 'stopped' },
  how: (name: string) => `How much of ${name} is here`,
  stop: (name: string) => `Stop fetching ${name}`,
}

export const missing = {
  title: 'What is missing',
  wanted: (kind: string, by: string) => `${kind} · wanted by ${by}`,
  used: (by: string) => `node · used by ${by}`,
  broken: (pack: string, reason: string) => `The pack ${pack} is here, but could not be loaded: ${reason}`,
  ofPack: (pack: string) =>
    `It belongs to the pack ${pack}. Put that into the folder custom_nodes; it is loaded at once. Until then the step is kept as it is.`,
  later: 'It is of a later version of Tessera, or was renamed. The step is kept as it is.',
  starter: 'It belongs to the starter family: models/starter/README.md says how it is made.',
  unknown:
    'Nobody here knows where it comes from. A repository (org/name), a file in one, or an https address:',
  ask: 'Ask',
}
