/** Which tests hold which promise, from their titles, and how often they tried, from the last runs that were kept. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROMISES } from './promises.js';
import { filesBelow, read, ROOT, testTitles } from './source.js';

/** By file and promise: tests that passed in the run that was kept, and how often they tried. */
export const TRIALS_FILE = 'docs/trials.json';
export type Trials = Record<string, Record<string, { tests: number; trials: number }>>;

export const TABLE_BEGIN = '<!-- promises: begin; written by npm run docs:promises -->';
export const TABLE_END = '<!-- promises: end -->';

/** What a full title says that its test is of. */
export function promisesIn(title: string): { promises: string[]; isControl: boolean } {
  const heads = title.split(' > ').flatMap((part) => {
    const [, numbers, control] = /^(P\d+(?: P\d+)*)(, the control)?:/.exec(part) ?? [];
    return numbers === undefined ? [] : [{ numbers: numbers.split(' '), isControl: control !== undefined }];
  });
  return { promises: [...new Set(heads.flatMap(({ numbers }) => numbers))], isControl: heads.some(({ isControl }) => isControl) };
}

interface Row { readonly file: string; hasTest: boolean; hasControl: boolean }

/** The files with tests of each promise. */
export function rowsByPromise(): Map<string, Row[]> {
  const rows = new Map<string, Row[]>(Object.keys(PROMISES).map((promise) => [promise, []]));
  for (const file of filesBelow('test', '.test.ts')) {
    for (const title of testTitles(file)) {
      const { promises, isControl } = promisesIn(title);
      for (const promise of promises) {
        const ofPromise = rows.get(promise) ?? [];
        rows.set(promise, ofPromise);
        let row = ofPromise.find((one) => one.file === file);
        if (row === undefined) ofPromise.push(row = { file, hasTest: false, hasControl: false });
        row[isControl ? 'hasControl' : 'hasTest'] = true;
      }
    }
  }
  return rows;
}

export function readTrials(): Trials {
  return existsSync(join(ROOT, TRIALS_FILE)) ? JSON.parse(read(TRIALS_FILE)) as Trials : {};
}

export function promisesTable(): string {
  const trials = readTrials();
  const lines = ['| | promise | tests | trials | control |', '|---|---|---|---|---|'];
  for (const [promise, rows] of rowsByPromise()) {
    for (const [index, { file, hasControl }] of rows.entries()) {
      const kept = trials[file]?.[promise];
      const first = index === 0 ? `${promise} | ${PROMISES[promise] ?? ''}` : ' | ';
      lines.push(`| ${first} | [${file.replace('test/', '')}](../${file}) | ${kept === undefined ? '' : kept.trials.toLocaleString('en')} | ${hasControl ? 'yes' : ''} |`);
    }
  }
  return lines.join('\n');
}

/** The document with the table as it is now. */
export function withTable(document: string): string {
  const [before, , after] = document.split(new RegExp(`(?<=${TABLE_BEGIN}\n)([^]*)(?=${TABLE_END})`));
  if (before === undefined || after === undefined) throw new Error('the document has no place for the table of promises');
  return `${before}\n${promisesTable()}\n\n${after}`;
}
