/** What is said of workflow files: what does not fit, what is no workflow, what differs. */
export const types = {
  int: 'whole number',
  float: 'number',
  str: 'text',
  bool: 'true or false',
  json: 'JSON',
  oneOf: (choices: string) => `one of ${choices}`,
  value: 'value',
  nothing: 'nothing',
  anything: 'anything',
  list: (item: string) => `list of ${item}`,
  or: ' or ',
  piece: (gives: string) => `piece of graph giving ${gives}`,
}

export const checks = {
  noPort: 'There is no such port.',
  circle: 'That would be a circle.',
  unfit: (source: string, target: string) => `${source} does not go into ${target}.`,
  noNode: (node: string) => `There is no node "${node}" here.`,
  noGroup: (name: string) => `There is no group "${name}".`,
  noSource: (wire: string) => `Nothing comes from "${wire}".`,
  needsGroup: 'It needs a group.',
  needs: (type: string) => `It needs ${type}.`,
  name: 'A name begins with a letter or _ and goes on with letters, digits, _ and -.',
  stepThere: (name: string) => `There is a step "${name}" already.`,
  inputThere: (name: string) => `There is an input "${name}" already.`,
  outputThere: (name: string) => `There is an output "${name}" already.`,
  noStep: (name: string) => `There is no step "${name}".`,
  group: 'A group of this workflow.',
}

/** What stops a file from being opened. */
export const files = {
  noJson: (why: string) => `This is no JSON: ${why}.`,
  noObject: 'This is JSON, but no workflow: a workflow is an object with "tessera" and "steps".',
  format: (found: string, known: number) =>
    `This workflow is of format ${found}; this editor reads format ${known}. Update Tessera to open it.`,
  part: (name: string) => `"${name}" of this workflow is not an object.`,
  comfy:
    'This is a ComfyUI workflow (its editor format). Tessera cannot open it: nodes and models have other names here. The templates have one for most tasks.',
  comfyApi:
    'This is a ComfyUI workflow (its API format). Tessera cannot open it: nodes and models have other names here. The templates have one for most tasks.',
  foreign: 'This is JSON, but no Tessera workflow: it has no field "tessera".',
}

/** What differs between two workflows. */
export const differences = {
  title: (now: string, was: string) => `The title is now “${now}”, it was “${was}”.`,
  groupGone: (name: string) => `The group ${name} is gone.`,
  groupNew: (name: string, steps: number) =>
    `The group ${name} is new, with ${steps === 1 ? '1 step' : `${steps} steps`}.`,
  field: (name: string) => `“${name}” of the file is different.`,
  order: 'Only the order of things in the file is different.',
  renamed: (old: string, name: string) => `${old} is now called ${name}.`,
  gone: (name: string, node: string) => `${name} is gone (${node}).`,
  fresh: (name: string, node: string) => `${name} is new (${node}).`,
  noOutput: (name: string) => `It no longer gives ${name}.`,
  output: (name: string, wire: string) => `It now gives ${name}, from ${wire}.`,
  otherOutput: (name: string, wire: string, was: string) => `${name} now comes from ${wire}, not ${was}.`,
  node: (name: string, now: string, was: string) => `${name} is now ${now}, it was ${was}.`,
  version: (name: string, now: string, was: string) =>
    `${name} uses version ${now} of its node, it was ${was}.`,
  none: 'none',
  off: (name: string, now: string, was: string) => `${name} is ${now}, it was ${was}.`,
  muted: 'muted',
  bypassed: 'bypassed',
  on: 'on',
  otherWire: (input: string, wire: string, was: string) => `${input} now comes from ${wire}, not ${was}.`,
  wire: (input: string, wire: string) => `${input} now comes from ${wire}.`,
  noWire: (input: string, was: string) => `${input} is no longer connected to ${was}.`,
  value: (input: string, now: string) => `${input} is now ${now}.`,
  noValue: (input: string, was: string) => `${input} is no longer ${was}.`,
  outOfForm: (name: string) => `${name} is no longer in the form.`,
  inForm: (name: string) => `${name} is now in the form.`,
  titled: (name: string, title: string) => `${name} is titled “${title}”.`,
  sets: (name: string, ports: string) => `${name} of the form now sets ${ports}.`,
  described: (name: string) => `${name} of the form is described otherwise.`,
  formOrder: 'The form has another order.',
  moved: (count: number) =>
    `${count === 1 ? '1 step lies' : `${count} steps lie`} elsewhere or look different.`,
  layout: 'The layout is different.',
  quoted: (text: string) => `“${text}”`,
}
