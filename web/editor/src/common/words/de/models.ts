/** Die Seite Modelle, und was fehlt. */
import type { Words } from '../en'

export const models: Words['models'] = {
  title: 'Modelle',
  here: (count, size) => `${count} hier, ${size}`,
  looking: 'Wird nachgesehen …',
  find: 'Ein Modell finden oder holen',
  findSays: 'Hier finden oder holen: ein Kurzname, org/name oder eine https-Adresse',
  kind: 'Art',
  everyKind: 'jede Art',
  ask: 'Die Quelle fragen',
  asked: 'Wonach gefragt ist',
  fetching: 'Wird geholt',
  list: 'Modelle auf diesem Rechner',
  name: 'Name',
  size: 'Größe',
  from: 'Von',
  none: 'Keines hier heißt so. Frag oben die Quelle.',
  others: 'Lassen sich holen',
}

export const fetching: Words['fetching'] = {
  asking: 'Die Quelle wird gefragt …',
  silent: 'Die Quelle antwortet nicht.',
  failed: 'Es ließ sich nicht holen.',
  noLicence: 'keine Lizenz genannt: sieh auf der Seite nach',
  gated: 'nur für Konten, die der Lizenz zugestimmt haben',
  converted: 'wird hier zu safetensors umgewandelt',
  done: (name) => `${name} ist da.`,
  doneAs: (name, as) => `${name} ist da, als ${as}.`,
  use: (name) => `${name} verwenden`,
  again: 'Noch einmal fragen',
  get: (name) => `${name} holen`,
  way: (bytes, total) => `${bytes} von ${total}`,
  states: {
    waiting: 'wartet',
    running: 'läuft',
    done: 'fertig',
    failed: 'fehlgeschlagen',
    stopped: 'angehalten',
  },
  how: (name) => `Wie viel von ${name} da ist`,
  stop: (name) => `${name} nicht weiter holen`,
}

export const missing: Words['missing'] = {
  title: 'Was fehlt',
  wanted: (kind, by) => `${kind} · gebraucht von ${by}`,
  used: (by) => `Knoten · verwendet von ${by}`,
  broken: (pack, reason) => `Das Paket ${pack} ist da, ließ sich aber nicht laden: ${reason}`,
  ofPack: (pack) =>
    `Er gehört zum Paket ${pack}. Leg es in den Ordner custom_nodes; es wird sofort geladen. Bis dahin bleibt der Knoten, wie er ist.`,
  later: 'Er stammt aus einer späteren Version von Tessera oder wurde umbenannt. Er bleibt, wie er ist.',
  starter: 'Es gehört zur Starter-Familie: In models/starter/README.md steht, wie sie gemacht wird.',
  unknown:
    'Hier weiß niemand, woher es kommt. Ein Repository (org/name), eine Datei darin oder eine https-Adresse:',
  ask: 'Fragen',
}
