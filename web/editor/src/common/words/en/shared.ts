/** What several pages say: times, problems, the viewer, comparing, explaining. */
export const time = {
  seconds: (count: string) => `${count} s`,
  minutes: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
  hours: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
  now: 'just now',
  minutesAgo: (count: number) => `${count} min ago`,
  hoursAgo: (count: number) => `${count} h ago`,
}

export const problem = {
  got: (what: string) => `, got ${what}`,
  want: (what: string) => `, want ${what}`,
}

export const viewer = {
  smaller: 'Smaller (-)',
  larger: 'Larger (+)',
  size: 'Size',
  fit: 'Fit the window (0)',
  before: 'The one before',
  after: 'The next one',
}

export const compare = {
  title: 'Compare',
  left: (what: string) => `Left: ${what}`,
  right: (what: string) => `Right: ${what}`,
  how: 'How much of the left picture is shown',
}

export const explain = {
  title: (what: string) => `Why it looks like this: ${what}`,
  heeded: (word: string) => `Where “${word}” was heeded`,
  words: 'Words',
  says: 'Choose a word: where it was heeded while the picture was drawn lights up. The bar is its part of all that was heeded.',
  list: 'Words of the prompt',
  strength: 'How strongly it lights up',
  without: 'Without the word',
  different: (count: string) => `${count} different`,
  how: 'How it was found',
}

export const reuse = {
  asGraph: 'Its workflow is not in the library, so it is opened as a graph.',
  noPrompt: 'Its workflow takes no prompt.',
  noSeed: 'Nothing was drawn for it: it has no seed.',
}
