/** What the app says in English: the source that every other language has the same keys as. */
import { actions, edits, keycaps, mouse, pages, palette, parts } from './actions'
import { app, mode } from './app'
import { create, result, widgets } from './create'
import { details, facts, filters, gallery, selected } from './gallery'
import { canvas, graph, naming, outline, rail, running, versions } from './graph'
import { exposed, fixes, inspector } from './inspector'
import { mask } from './mask'
import { fetching, missing, models } from './models'
import { queue } from './queue'
import { checks, differences, files, types } from './sentences'
import { settings } from './settings'
import { compare, explain, problem, reuse, time, viewer } from './shared'
import { comparison, foreign, help, log, sweep } from './tools'

export const en = {
  actions,
  app,
  canvas,
  checks,
  compare,
  comparison,
  create,
  details,
  differences,
  edits,
  explain,
  exposed,
  facts,
  fetching,
  files,
  filters,
  fixes,
  foreign,
  gallery,
  graph,
  help,
  inspector,
  log,
  keycaps,
  mask,
  missing,
  mode,
  models,
  mouse,
  naming,
  outline,
  pages,
  palette,
  parts,
  problem,
  queue,
  rail,
  result,
  reuse,
  running,
  selected,
  settings,
  sweep,
  time,
  types,
  versions,
  viewer,
  widgets,
}
export type Words = typeof en
