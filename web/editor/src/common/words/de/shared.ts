/** Was mehrere Seiten sagen: Zeiten, Fehler, der Betrachter, Vergleiche, Erklärungen. */
import type { Words } from '../en'

export const time: Words['time'] = {
  seconds: (count) => `${count} s`,
  minutes: (minutes, seconds) => `${minutes} min ${seconds} s`,
  hours: (hours, minutes) => `${hours} h ${minutes} min`,
  now: 'gerade eben',
  minutesAgo: (count) => `vor ${count} min`,
  hoursAgo: (count) => `vor ${count} h`,
}

export const problem: Words['problem'] = {
  got: (what) => `, ist ${what}`,
  want: (what) => `, soll ${what}`,
}

export const viewer: Words['viewer'] = {
  smaller: 'Kleiner (-)',
  larger: 'Größer (+)',
  size: 'Größe',
  fit: 'Ganz zeigen (0)',
  before: 'Das davor',
  after: 'Das nächste',
}

export const compare: Words['compare'] = {
  title: 'Vergleichen',
  left: (what) => `Links: ${what}`,
  right: (what) => `Rechts: ${what}`,
  how: 'Wie viel vom linken Bild zu sehen ist',
}

export const explain: Words['explain'] = {
  title: (what) => `Warum es so aussieht: ${what}`,
  heeded: (word) => `Wo „${word}“ beachtet wurde`,
  words: 'Wörter',
  says: 'Wähle ein Wort: Wo es beim Zeichnen beachtet wurde, leuchtet das Bild auf. Der Balken zeigt seinen Anteil an allem, was beachtet wurde.',
  list: 'Wörter des Prompts',
  strength: 'Wie stark es leuchtet',
  without: 'Ohne das Wort',
  different: (count) => `${count} anders`,
  how: 'Wie es gefunden wurde',
}

export const reuse: Words['reuse'] = {
  asGraph: 'Sein Workflow ist nicht in der Bibliothek; er öffnet sich als Graph.',
  noPrompt: 'Sein Workflow nimmt keinen Prompt.',
  noSeed: 'Dafür wurde nichts gezeichnet: Es hat keinen Seed.',
}
