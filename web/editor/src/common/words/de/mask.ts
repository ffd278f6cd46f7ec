/** Eine Maske malen. */
import type { Words } from '../en'

export const mask: Words['mask'] = {
  title: 'Eine Maske malen',
  tool: 'Werkzeug',
  brush: 'Pinsel',
  eraser: 'Radierer',
  lasso: 'Lasso',
  size: 'Größe',
  soft: 'Weiche Kante',
  undo: 'Rückgängig',
  redo: 'Wiederholen',
  invert: 'Umkehren',
  clear: 'Leeren',
  further: 'Weiter weg',
  nearer: 'Näher heran',
  over: 'Was übermalt wird',
  drawn: 'Die Maske: Was pink ist, wird neu gezeichnet',
  inPicture: 'Im Bild behalten, als durchsichtige Stelle',
  cancel: 'Abbrechen',
  use: 'Maske verwenden',
  saving: 'Wird gespeichert …',
  notSaved: 'Es ließ sich nicht speichern.',
  unreadable: 'Dieser Browser kann keine Bilder lesen.',
}
