/** Was über Workflow-Dateien gesagt wird: was nicht passt, was kein Workflow ist, was anders ist. */
import type { Words } from '../en'

export const types: Words['types'] = {
  int: 'ganze Zahl',
  float: 'Zahl',
  str: 'Text',
  bool: 'wahr oder falsch',
  json: 'JSON',
  oneOf: (choices) => `eines von ${choices}`,
  value: 'Wert',
  nothing: 'nichts',
  anything: 'irgendetwas',
  list: (item) => `Liste von ${item}`,
  or: ' oder ',
  piece: (gives) => `Stück Graph, das ${gives} ergibt`,
}

export const checks: Words['checks'] = {
  noPort: 'Diesen Anschluss gibt es nicht.',
  circle: 'Das wäre ein Kreis.',
  unfit: (source, target) => `${source} passt nicht in ${target}.`,
  noNode: (node) => `Den Knoten „${node}“ gibt es hier nicht.`,
  noGroup: (name) => `Die Gruppe „${name}“ gibt es nicht.`,
  noSource: (wire) => `Von „${wire}“ kommt nichts.`,
  needsGroup: 'Hier fehlt eine Gruppe.',
  needs: (type) => `Hier fehlt: ${type}.`,
  name: 'Ein Name beginnt mit einem Buchstaben oder _ und geht mit Buchstaben, Ziffern, _ und - weiter.',
  stepThere: (name) => `Den Knoten „${name}“ gibt es schon.`,
  inputThere: (name) => `Die Eingabe „${name}“ gibt es schon.`,
  outputThere: (name) => `Die Ausgabe „${name}“ gibt es schon.`,
  noStep: (name) => `Den Knoten „${name}“ gibt es nicht.`,
  group: 'Eine Gruppe dieses Workflows.',
}

export const files: Words['files'] = {
  noJson: (why) => `Das ist kein JSON: ${why}.`,
  noObject: 'Das ist JSON, aber kein Workflow: Ein Workflow ist ein Objekt mit „tessera“ und „steps“.',
  format: (found, known) =>
    `Dieser Workflow hat das Format ${found}; dieser Editor liest das Format ${known}. Aktualisiere Tessera, um ihn zu öffnen.`,
  part: (name) => `„${name}“ dieses Workflows ist kein Objekt.`,
  comfy:
    'Das ist ein Workflow von ComfyUI (im Format seines Editors). Tessera kann ihn nicht öffnen: Knoten und Modelle heißen hier anders. Für die meisten Aufgaben gibt es eine Vorlage.',
  comfyApi:
    'Das ist ein Workflow von ComfyUI (im Format seiner API). Tessera kann ihn nicht öffnen: Knoten und Modelle heißen hier anders. Für die meisten Aufgaben gibt es eine Vorlage.',
  foreign: 'Das ist JSON, aber kein Workflow von Tessera: Das Feld „tessera“ fehlt.',
}

export const differences: Words['differences'] = {
  title: (now, was) => `Der Titel ist jetzt „${now}“, er war „${was}“.`,
  groupGone: (name) => `Die Gruppe ${name} ist weg.`,
  groupNew: (name, steps) => `Die Gruppe ${name} ist neu, mit ${steps} Knoten.`,
  field: (name) => `„${name}“ der Datei ist anders.`,
  order: 'Nur die Reihenfolge in der Datei ist anders.',
  renamed: (old, name) => `${old} heißt jetzt ${name}.`,
  gone: (name, node) => `${name} ist weg (${node}).`,
  fresh: (name, node) => `${name} ist neu (${node}).`,
  noOutput: (name) => `${name} wird nicht mehr ausgegeben.`,
  output: (name, wire) => `${name} wird jetzt ausgegeben, von ${wire}.`,
  otherOutput: (name, wire, was) => `${name} kommt jetzt von ${wire}, nicht von ${was}.`,
  node: (name, now, was) => `${name} ist jetzt ${now}, es war ${was}.`,
  version: (name, now, was) => `${name} verwendet Version ${now} seines Knotens, es war ${was}.`,
  none: 'keine',
  off: (name, now, was) => `${name} ist ${now}, es war ${was}.`,
  muted: 'stumm',
  bypassed: 'umgangen',
  on: 'eingeschaltet',
  otherWire: (input, wire, was) => `${input} kommt jetzt von ${wire}, nicht von ${was}.`,
  wire: (input, wire) => `${input} kommt jetzt von ${wire}.`,
  noWire: (input, was) => `${input} ist nicht mehr mit ${was} verbunden.`,
  value: (input, now) => `${input} ist jetzt ${now}.`,
  noValue: (input, was) => `${input} ist nicht mehr ${was}.`,
  outOfForm: (name) => `${name} ist nicht mehr im Formular.`,
  inForm: (name) => `${name} ist jetzt im Formular.`,
  titled: (name, title) => `${name} ist mit „${title}“ beschriftet.`,
  sets: (name, ports) => `${name} im Formular setzt jetzt ${ports}.`,
  described: (name) => `${name} im Formular ist anders beschrieben.`,
  formOrder: 'Das Formular hat eine andere Reihenfolge.',
  moved: (count) =>
    count === 1
      ? '1 Knoten liegt anderswo oder sieht anders aus.'
      : `${count} Knoten liegen anderswo oder sehen anders aus.`,
  layout: 'Die Anordnung ist anders.',
  quoted: (text) => `„${text}“`,
}
