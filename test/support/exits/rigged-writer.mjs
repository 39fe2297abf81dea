/** The shipped writer, or a mutant of it, on a disk that obeys the host program. */
import fs from 'node:fs';
import { rigDisk, rigOfWriter } from './rig.mjs';

const { words, writerUrl } = rigOfWriter();
rigDisk(fs, words, true);
await import(writerUrl ?? new URL('../../../dist/worker/main.js', import.meta.url).href);
