import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { pathToFileURL } from 'node:url';
import { LastwordError } from './errors.js';

/** The package's own name for the writer's entry. */
const WRITER = 'lastword/worker';
/** A file that nobody else has. */
const TRANSCODER = 'transcode/transcoder.wasm';

let own: URL | undefined;

/**
 * The folder of what is loaded by URL: the writer's entry, the transcoder, what runs on the file pool. Beside this code; where a bundler has
 * moved it, in the package as installed; or beside the entry that the host names. @throws LASTWORD_WRITER_EXITED when it is in none of them
 */
export function workerFolder(writerUrl?: URL): URL {
  if (writerUrl !== undefined) {
    const beside = new URL('.', writerUrl);
    if (existsSync(new URL(TRANSCODER, beside))) return beside;
    // An entry of the host's own, which loads the shipped one.
  }
  own ??= find();
  return own;
}

function find(): URL {
  // In a bundle of CommonJS there is none.
  const here = import.meta.url as string | undefined;
  if (here !== undefined) {
    const beside = new URL('../worker/', here);
    if (existsSync(new URL(TRANSCODER, beside))) return beside;
    const installed = installedNear(here);
    if (installed !== undefined) return installed;
  }
  throw new LastwordError('LASTWORD_WRITER_EXITED', `the files of the writer are not beside the code, and ${WRITER} is not installed: a host that is bundled names them with writerUrl`);
}

function installedNear(here: string): URL | undefined {
  try {
    // By its name alone it would collide with the line that hosts put in front of a bundle.
    return new URL('.', pathToFileURL(nodeModule.createRequire(here).resolve(WRITER)));
  } catch {
    return undefined; // the error that is thrown then says more
  }
}

export function writerEntry(writerUrl: URL | undefined): URL {
  return writerUrl ?? new URL('main.js', workerFolder());
}

export function transcoderFile(writerUrl: URL | undefined): URL {
  return new URL(TRANSCODER, workerFolder(writerUrl));
}

export function tasksFolder(writerUrl?: URL): URL {
  return new URL('tasks/', workerFolder(writerUrl));
}
