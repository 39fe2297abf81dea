/** The documents of the repository, and the programs in them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, filesBelow, read } from './source.js';

export const DOCUMENTS = [...filesBelow('docs', '.md'), ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].filter((path) => existsSync(join(ROOT, path)))];

/** A block that begins with an import. The one of docs/jobs.md has its sidecar, and its questions, from elsewhere. */
export interface Program { readonly document: string; readonly name: string; readonly source: string }

export const PROGRAMS: readonly Program[] = DOCUMENTS.filter((document) => document !== 'docs/jobs.md').flatMap((document) =>
  [...read(document).matchAll(/^```ts\n(import [^]*?)^```$/gm)].map(([, source = ''], index) => ({ document, name: `${document.replaceAll(/\W/g, '-')}-${index}`, source })));
