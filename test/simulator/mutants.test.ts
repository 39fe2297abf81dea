/** The control of the simulator: libraries that are wrong on purpose do not pass it. */
import { expect, test } from 'vitest';
import type { Patch } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { check } from './check.js';
import { Disagreement } from './history.js';
import { loadSystem } from './system.js';

/** Most are found within two hundred, the rarest one within some thousand. */
const HISTORIES_MAX = 10_000;

const SYNC = 'worker/file-sync.js';
const BEGIN = '            await fs.syncFile(descriptor);\n            await this.#folders';
const begin = (sync: string): Patch => ({ file: SYNC, find: BEGIN, replace: BEGIN.replace('await fs.syncFile(descriptor)', sync) });

/** Every sync is believed. */
const CONFIRM: Patch = { file: 'worker/confirmations.js', find: '            ended.some(({ descriptor }) => this.#fs.confirmSyncs(descriptor));\n', replace: '' };

/** With what it is found by. */
const MUTANTS: Record<string, readonly [RegExp, ...Patch[]]> = {
  'acknowledges before it syncs': [/ were synced|in a sync of it/, begin('void fs.syncFile(descriptor).catch(() => undefined)')],
  'syncs again where a sync has failed': [/ were synced/, begin('await fs.syncFile(descriptor).catch(() => fs.syncFile(descriptor))')],
  'trusts the cache after a failed sync': [/ were synced/, begin('await fs.syncFile(descriptor).catch(() => { files.close(file); return fs.syncFile(files.descriptorOf(file)); })'), { file: SYNC, find: 'confirmed(descriptor,', replace: 'confirmed(files.descriptorOf(file),' }],
  'does not write anew what it holds': [/ is lost|failed for good/, { file: SYNC, find: 'held: takesAll ? [] : held.read()', replace: 'held: []' }],
  'says that what is written anew is synced before its name is': [/ were synced/, { file: SYNC, find: '        await this.#folders.syncAbove(path);\n        fs', replace: '        fs' }],
  'takes the word of a file system whose journal has stopped': [/ were synced/, CONFIRM],
  'does not cut back after a part of a write': [/damage without a power cut|follows/, { file: 'worker/rollout-file.js', find: '        fs.truncate(descriptor, this.wholeBytes);', replace: '        this.#end.wholeBytes = fs.size(descriptor);' }],
  'does not heal what is torn': [/damage without a power cut|of no item|waited in vain/, { file: 'worker/recovery/resume-rollout.js', find: '        fs.truncate(descriptor, wholeBytes);', replace: '        wholeBytes += tornBytes;' }],
  'syncs no folder': [/ were synced/, { file: 'worker/folder-syncs.js', find: 'this.#unsynced.add(folder);\n        if', replace: 'if' }],
  'does not sync the root of all folders': [/ were synced/, { file: 'worker/folder-syncs.js', find: 'for (let folder = dirname(path);; folder', replace: "for (let folder = dirname(path); folder !== '/'; folder" }],
  'does not sync the name of what it resumes': [/ were synced/, { file: 'worker/control.js', find: '            this.#add(file, descriptor, 0);\n            syncs.folderChanged(dirname(file.path));', replace: '            this.#add(file, descriptor, 0);' }],
  'links a header that is not written yet': [/createThread|were written|were synced|not open/, {
    file: 'worker/create-rollout.js',
    find: '        const bytes = writeHeader(fs, descriptor, ring, command, records);\n        const published = publish(fs, { temporary, descriptor, bytes }, command);',
    replace: '        const published = publish(fs, { temporary, descriptor, bytes: 0 }, command);\n        const bytes = writeHeader(fs, descriptor, ring, command, records);',
  }],
  'takes over what the shared words say': [/follows|used twice|failed for good|is item/, { file: 'worker/takeover.js', find: '    const written = end.nextOrdinal - file.base;', replace: '    const written = file.written;' }],
  'lets go of frames before they are written': [/failed for good|were written|waited in vain|drained|salvaged/, { file: 'worker/writer.js', find: '        groups.group(consumer.memory, batch);', replace: '        groups.group(consumer.memory, batch);\n        release(consumer, batch);' }],
  'says what is written before it is': [/were written|failed for good/, { file: 'worker/group-output.js', find: '        file.append(fs,', replace: '        publishWritten(sidecar, file.slot, file.written + this.items);\n        file.append(fs,' }],
  'parks no frame': [/failed for good|waited in vain|drained|salvaged/, { file: 'worker/writer.js', find: '            if (!isWritten && !this.#park(ring, file, group))\n                areTaken = false;', replace: '' }],
};

test.each(Object.entries(MUTANTS))('P1 P2 P3 P4 P7 P9, the control: the simulator finds a library that %s', async (what, [how, ...patches]) => {
  const system = await loadSystem(...patches);
  const { error, histories } = await check(system, SEED, HISTORIES_MAX, { isShrunk: false });
  console.log(`a library that ${what}, in history ${histories}: ${String(error)}`);
  expect(error).toBeInstanceOf(Disagreement);
  expect(String(error)).toMatch(how);
});
