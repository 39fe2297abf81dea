/** The documents of the repository, and the programs in them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, filesBelow, read } from './source.js';

export const DOCUMENTS = [...filesBelow('docs', '.md'), ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].filter((path) => existsSync(join(ROOT, path)))];

export interface Block { readonly document: string; readonly name: string; readonly source: string }

const BLOCKS: readonly Block[] = DOCUMENTS.flatMap((document) =>
  [...read(document).matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, source = ''], index) => ({ document, name: `${document.replaceAll(/\W/g, '-')}-${index}`, source })));

/** The block of docs/jobs.md has its sidecar, and its questions, from elsewhere. */
const isProgram = ({ document, source }: Block): boolean => source.startsWith('import ') && document !== 'docs/jobs.md';

/** What can be run as it stands. */
export const PROGRAMS = BLOCKS.filter(isProgram);
/** What takes something as given: a sidecar, a thread. */
export const FRAGMENTS = BLOCKS.filter((block) => !isProgram(block));
