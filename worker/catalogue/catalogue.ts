import { basename, dirname, join } from 'node:path';
import { listFolder, look } from '../../src/reader/lists/disk.js';
import { glean } from '../../src/reader/lists/glean.js';
import { readPiecesSync, type FileState } from '../../src/reader/lists/pieces.js';
import { ROOTS } from '../../src/reader/lists/place.js';
import { problemOf } from '../../src/reader/lists/walk.js';
import { isLikeRollout, parseRolloutPath } from '../../src/rollout/rollout-path.js';
import type { Folder, Row } from './rows.js';

/** Looked at at each end of a rollout. */
const WINDOW_BYTES = 64 << 10;
/** A folder that changes within the resolution of a file system's clock after it was read may not show it. */
const CLOCK_MS = 2000;
/** How often the file system is asked for every rollout. */
export interface SweepLimits {
  /** Each time, as long as there are no more. */
  readonly freeRows: number;
  /** Else only after so many times as long as it took the last time. */
  readonly rest: number;
}
/** 10,000 take some 30 ms. */
const SWEEP_LIMITS: SweepLimits = { freeRows: 10_000, rest: 10 };

/** What is known of all rollouts below a directory, brought up to date before it is asked. */
export class Catalogue {
  readonly #directory: string;
  readonly #limits: SweepLimits;
  #folders = new Map<string, Folder>();
  /** Why folders cannot be read, by path. */
  #problems = new Map<string, string>();
  /** When every rollout is asked for again, where there are many. */
  #nextSweepMs = -Infinity;
  /** Spent on what was new. */
  #examineMs = 0;
  /** Rows that were found out since the catalogue was last stored. */
  changes = 0;

  constructor(directory: string, limits = SWEEP_LIMITS) {
    this.#directory = directory;
    this.#limits = limits;
  }

  get folders(): Iterable<Folder> {
    return this.#folders.values();
  }

  get problems(): Iterable<[path: string, problem: string]> {
    return this.#problems;
  }

  get size(): number {
    let size = 0;
    for (const { rows } of this.#folders.values()) size += rows.length;
    return size;
  }

  /** Takes what was stored, to be compared with the files. */
  take(folders: readonly Folder[]): void {
    for (const folder of folders) this.#folders.set(folder.path, folder);
    this.#nextSweepMs = -Infinity;
  }

  /** Finds out what has changed: folders by their own last change, rollouts by what the file system says of each. */
  refresh(changed: readonly string[]): void {
    const folders = new Map<string, Folder>();
    this.#problems = new Map();
    const beganMs = performance.now();
    const isSweep = this.size <= this.#limits.freeRows || beganMs >= this.#nextSweepMs;
    this.#examineMs = 0;
    const names = namesByFolder(changed);
    for (const root of Object.values(ROOTS)) this.#refreshFolder(root, folders, { isSweep, names });
    for (const [path, { rows }] of this.#folders) if (!folders.has(path)) this.changes += rows.length;
    this.#folders = folders;
    if (!isSweep) return;
    const endedMs = performance.now();
    this.#nextSweepMs = endedMs + (endedMs - beganMs - this.#examineMs) * this.#limits.rest;
  }

  #refreshFolder(path: string, refreshed: Map<string, Folder>, sweep: Sweep): void {
    const absolute = join(this.#directory, path);
    const known = this.#folders.get(path);
    let folder = known;
    try {
      // A root may be a link to another disk.
      const state = look(`${absolute}/`);
      if (state === undefined) return;
      const isKnown = known !== undefined && known.modifiedMs === state.modifiedMs && known.readMs - known.modifiedMs > CLOCK_MS;
      if (!isKnown) folder = this.#readFolder(path, state, known);
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined) this.#problems.set(path, problem);
      return;
    }
    if (folder === undefined) return;
    const names = sweep.names.get(absolute);
    const isDue = folder !== known || sweep.isSweep || names !== undefined;
    refreshed.set(path, isDue ? this.#refreshRows(folder, sweep.isSweep, names) : folder);
    for (const name of folder.folders) this.#refreshFolder(`${path}/${name}`, refreshed, sweep);
  }

  #readFolder(path: string, { modifiedMs }: FileState, known: Folder | undefined): Folder {
    const readMs = Date.now();
    const { files, folders } = listFolder(join(this.#directory, path), isLikeRollout);
    const rows = new Map(known?.rows.map((row) => [row.name, row]));
    return { path, modifiedMs, readMs, folders, rows: files.map((name) => rows.get(name) ?? unknown(name)) };
  }

  #refreshRows(folder: Folder, isSweep: boolean, names: ReadonlySet<string> | undefined): Folder {
    const absolute = join(this.#directory, folder.path);
    const rows: Row[] = [];
    for (const row of folder.rows) {
      const isDue = isSweep || row.inode === UNKNOWN_INODE || names?.has(row.name) === true;
      const refreshed = isDue ? this.#refreshRow(`${absolute}/${row.name}`, row) : row;
      if (refreshed !== undefined) rows.push(refreshed);
    }
    return { ...folder, rows };
  }

  /** Undefined where it is gone. */
  #refreshRow(path: string, row: Row): Row | undefined {
    const state = lookOrFail(path);
    if (state !== undefined && state.bytes === row.bytes && state.modifiedMs === row.modifiedMs && state.inode === row.inode) return row;
    this.changes += 1;
    if (state === undefined) return undefined;
    const beganMs = performance.now();
    const examined = examine(path, row.name, state);
    this.#examineMs += performance.now() - beganMs;
    return examined;
  }
}

/** What a refresh asks the file system for beside folders: all rollouts, or those of these names, by folder. */
interface Sweep {
  readonly isSweep: boolean;
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
}

function namesByFolder(paths: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    const folder = dirname(path);
    const others = names.get(folder) ?? new Set();
    names.set(folder, others.add(basename(path)));
  }
  return names;
}

const UNKNOWN_INODE = -1;

function unknown(name: string): Row {
  return { name, bytes: -1, modifiedMs: 0, inode: UNKNOWN_INODE, parentId: undefined, cwd: undefined, isDamaged: true };
}

/** Undefined where there is nothing; a file of which nothing is to be known stays unknown. */
function lookOrFail(path: string): ReturnType<typeof look> {
  try {
    return look(path);
  } catch (error) {
    return problemOf(error) === undefined ? undefined : { bytes: 0, modifiedMs: 0, inode: UNKNOWN_INODE, isFile: false };
  }
}

function examine(path: string, name: string, { isFile, ...state }: NonNullable<ReturnType<typeof look>>): Row | undefined {
  const damaged = { name, ...state, parentId: undefined, cwd: undefined, isDamaged: true };
  const parsed = parseRolloutPath(name);
  if (!isFile || parsed === undefined || parsed.isCompressed) return damaged;
  const read = readPiecesSync(path, (state) => glean(state, WINDOW_BYTES));
  if ('unreadable' in read) return read.isGone ? undefined : damaged;
  if (typeof read.value === 'string') return { ...damaged, ...read.state };
  const { parentId, meta: { cwd } } = read.value;
  return { name, ...read.state, parentId, cwd: typeof cwd === 'string' ? cwd : undefined, isDamaged: false };
}
