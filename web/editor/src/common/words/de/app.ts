/** Die Leiste, was überall steht, und wie Bilder geprüft werden. */
import type { Words } from '../en'

export const app: Words['app'] = {
  language: 'de',
  pages: 'Seiten',
  create: 'Erstellen',
  graph: 'Graph',
  gallery: 'Galerie',
  queue: 'Aufträge',
  models: 'Modelle',
  settings: 'Einstellungen',
  opening: 'Wird geöffnet …',
  lost: 'Der Server antwortet nicht. Was du tust, bleibt hier erhalten; neuer Versuch …',
  back: 'Der Server ist wieder da.',
  idle: 'Bereit',
  nothingRuns: 'Aufträge: nichts läuft',
  unfinished: (count) => `Aufträge: ${count} nicht fertig`,
  inQueue: (count) => (count === 1 ? '1 Auftrag' : `${count} Aufträge`),
  nothing: 'Hier ist nichts',
  makeOne: 'Ein Bild erstellen',
  instead: 'geht aber immer.',
  close: 'Schließen',
  safety: 'Prüfung der Bilder',
  silent: 'Der Server antwortet nicht. Läuft er noch?',
  answered: (status, says) => `Der Server antwortete ${status} ${says}.`,
}

export const mode: Words['mode'] = {
  label: 'Wie Bilder geprüft werden',
  safe: 'Sicher',
  safeSays: 'Was ein Prüfer beanstandet, wird zurückgehalten.',
  research: 'Forschung',
  researchSays: 'Was ein Prüfer beanstandet, wird gezeigt; seine Werte werden festgehalten.',
  nsfw: 'NSFW',
  nsfwSays: 'Niemand prüft etwas.',
  question: (word) => `Auf ${word} stellen?`,
  counts: 'Es gilt für alles, was du von jetzt an startest.',
  goUp: 'Umstellen',
  stay: (word) => `Bei ${word} bleiben`,
  limited: (who) => `Die Einstellung ${who} des Servers erlaubt es nicht.`,
}
