/** Rollouts in which Codex wrote, without its binary: `npm run test:codex` is with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readRollout, type RolloutRecord, type Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { mutantWriter } from '../support/mutants.js';
import { codexLine, corpusFiles } from '../support/rollouts.js';
import { breakingWriter, itemsOf, linesOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const FOLDER = fileURLToPath(new URL('../fixtures/codex', import.meta.url));
const BEGUN_BY_CODEX = join(FOLDER, 'begun-by-codex.jsonl');
const BEGUN_BY_LASTWORD = join(FOLDER, 'begun-by-lastword.jsonl');

/** Type and inner type of each record. */
const kindsOf = (records: RolloutRecord[]): string[] =>
  records.map(({ type, payload }) => [type, (payload as { type?: string }).type].filter((part) => part !== undefined).join(' '));

describe('a rollout', () => {
  test('begun by codex is read whole, with the members that only codex writes', async () => {
    const records = await recordsOf(BEGUN_BY_CODEX);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(17));
    expect(kindsOf(records)).toEqual([
      'session_meta', 'event_msg task_started', 'world_state', 'turn_context', 'event_msg thread_settings_applied', 'response_item message',
      'event_msg item_completed', 'response_item function_call', 'token_usage_record', 'event_msg item_completed',
      'response_item function_call_output', 'event_msg token_count', 'event_msg item_completed', 'response_item message', 'token_usage_record',
      'event_msg token_count', 'event_msg task_complete',
    ]);
    expect(records.filter(({ metadata }) => metadata !== undefined).every(({ type }) => type === 'response_item')).toBe(true);
    expect(linesOf(BEGUN_BY_CODEX)).toEqual(records.map((record) => JSON.stringify(record)));
  });

  test('that went from us to codex and back is read whole: our lines have checksums, those of codex have none', async () => {
    const records = await recordsOf(BEGUN_BY_LASTWORD);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(17));
    expect(kindsOf(records)).toEqual([
      'session_meta', 'response_item message', 'response_item message',
      'event_msg thread_settings_applied', 'event_msg thread_settings_applied', 'event_msg task_started', 'world_state', 'turn_context',
      'event_msg thread_settings_applied', 'response_item message', 'event_msg item_completed', 'event_msg item_completed',
      'response_item message', 'token_usage_record', 'event_msg token_count', 'event_msg task_complete',
      'response_item message',
    ]);
    const checked = linesOf(BEGUN_BY_LASTWORD).flatMap((line, index) => (/,"crc":"[0-9a-f]{8}"\}$/.test(line) ? [index] : []));
    expect(checked).toEqual([0, 1, 2, 16]);
  });

  test('begun by codex, named by a local time that is another day, is resumed by its id and keeps every byte', async () => {
    const [header] = await recordsOf(BEGUN_BY_CODEX);
    const { id } = header?.payload as { id: string };
    const directory = temporaryFolder();
    const folder = join(directory, 'sessions/2026/11/22');
    const path = join(folder, `rollout-2026-11-22T01-43-58-${id}.jsonl`);
    mkdirSync(folder, { recursive: true });
    copyFileSync(BEGUN_BY_CODEX, path);
    const sidecar = await openTestSidecar({ directory });
    const thread = await sidecar.resumeThread(id);
    expect(thread).toMatchObject({ path, origin: 'resumed', accepted: 17, recovery: undefined });
    expect(thread.append(numbered(0))).toBe(17);
    await thread.close();
    expect((await recordsOf(path)).map(({ ordinal }) => ordinal)).toEqual(upTo(18));
    const theirs = readFileSync(BEGUN_BY_CODEX);
    expect(readFileSync(path).subarray(0, theirs.length)).toEqual(theirs);
  });
});

const ID = '01936c1e-7b2a-7000-8000-000000000001';
const HOST = fileURLToPath(new URL('../support/resuming-host.mjs', import.meta.url));
/** A line of ours: in a file of numbered records, and in one of records that are not. */
const OURS = { true: /^\{"timestamp":"[^"]+","ordinal":\d+,"type":.*,"crc":"[0-9a-f]{8}"\}$/, false: /^\{"timestamp":"[^"]+","type":.*,"crc":"[0-9a-f]{8}"\}$/ };

/** A directory with one rollout in it. */
function directoryOf(bytes: Buffer | string, id = ID): { directory: string; path: string } {
  const directory = temporaryFolder();
  const path = rolloutPath(directory, id);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return { directory, path };
}

/** Resumes, does it, and closes. Gives the ordinal that the thread began with. */
async function goOn(directory: string, id: string, act: (thread: Thread) => void): Promise<number> {
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.resumeThread(id);
  const next = thread.accepted;
  act(thread);
  await sidecar.close();
  return next;
}

const legacyLine = (payload: object): string => codexLine(undefined, payload).toString();
const LEGACY_HEADER = legacyLine({}).replace('event_msg', 'session_meta');
const LEGACY = [LEGACY_HEADER, ...['one', 'two'].map((text) => legacyLine({ type: 'user_message', message: text }))].join('');

describe('a thread of codex\'s', () => {
  test.skipIf(corpusFiles.length === 0)('is gone on with in the form of its file, and no byte that was there changes (needs the real rollouts beside the project)', async () => {
    expect(corpusFiles.map(({ isNumbered }) => isNumbered).sort()).toEqual([false, false, true, true]);
    for (const { path: from, bytes, isNumbered } of corpusFiles) {
      const id = basename(from).slice(-42, -6);
      const directory = temporaryFolder();
      const path = join(directory, 'sessions', '2026', '05', '11', basename(from));
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(from, path);
      const before = await recordsOf(path);
      const next = (before.at(-1)?.ordinal ?? 0) + 1;
      for (const round of upTo(3)) {
        const added = 3 * round;
        expect(await goOn(directory, id, (thread) => {
          expect(thread.append(numbered(round))).toBe(next + added);
          expect(thread.setMeta({ round })).toBe(next + added + 1);
          expect(thread.rollback(next + added)).toBe(next + added + 2);
        })).toBe(next + added);
      }
      expect(readFileSync(path).subarray(0, bytes.length)).toEqual(bytes);
      const records = await recordsOf(path);
      expect(records.slice(0, before.length)).toEqual(before);
      expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(before.length + 9).map((place) => (before[0]?.ordinal ?? 0) + place));
      for (const line of linesOf(path).slice(before.length)) expect(line).toMatch(OURS[`${isNumbered}`]);
    }
  });

  test.skipIf(corpusFiles.length === 0)('and a fork of it by codex are one history (needs the real rollouts beside the project)', async () => {
    const directory = temporaryFolder();
    const pair = corpusFiles.filter(({ isNumbered }) => isNumbered);
    for (const { path } of pair) {
      mkdirSync(join(directory, 'sessions', '2026', '11', '21'), { recursive: true });
      copyFileSync(path, join(directory, 'sessions', '2026', '11', '21', basename(path)));
    }
    const sidecar = await openTestSidecar({ directory });
    const fork = '01a1fc00-4438-7620-9c44-34fb86919cb0';
    const read = async (): Promise<RolloutRecord[]> => {
      const records: RolloutRecord[] = [];
      for await (const record of sidecar.readThread(fork, { onDamage: ({ kind }) => { throw new Error(kind); } })) records.push(record);
      return records;
    };
    expect((await read()).map(({ ordinal }) => ordinal)).toEqual(upTo(92));
    const thread = await sidecar.resumeThread(fork);
    expect(thread.append(numbered(0))).toBe(92);
    const ours = await sidecar.forkThread(fork, { through: 70 });
    expect(ours.append(numbered(1))).toBe(72);
    expect(await read()).toHaveLength(93);
    const records: RolloutRecord[] = [];
    for await (const record of sidecar.readThread(ours.id)) records.push(record);
    expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(73));
    expect(records.filter(({ type }) => type === 'session_meta').map(({ ordinal }) => ordinal)).toEqual([0, 66, 71]);
  });

  const [header, one, two] = [codexLine(0, { history_mode: 'paginated' }).toString(), codexLine(1).toString(), codexLine(2).toString()];
  /** What is in the file, the ordinals that are read, kinds of damage, what comes next, and whether lines are numbered. */
  const FILES: readonly [string, string, number[], string[], number, boolean][] = [
    ['made by hand, of three lines', header + one + two, [0, 1, 2], [], 3, true],
    ['whose last line lacks its newline', (header + one + two).slice(0, -1), [0, 1, 2], [], 3, true],
    ['whose torn line codex ended and went on behind', `${header + one}{"timestamp":"2026-1\n${two}`, [0, 1, 2], ['malformed'], 3, true],
    ['that ends in a torn line', `${header + one + two}{"timesta`, [0, 1, 2], ['torn'], 3, true],
    ['with a line that is none in the middle', `${header + one}what\n${two}`, [0, 1, 2], ['malformed'], 3, true],
    ['with CR LF', (header + one + two).replaceAll('\n', '\r\n'), [0, 1, 2], [], 3, true],
    ['with an ordinal that it wrote twice', header + one + one + two, [0, 1, 1, 2], ['duplicate'], 3, true],
    ['with an ordinal left out', header + one + codexLine(5).toString(), [0, 1, 5], ['gap'], 6, true],
    ['that ends with a type of tomorrow', header + one + two.replace('event_msg', 'dream'), [0, 1, 2], [], 3, true],
    ['whose header says that records are numbered, and that has lines that are not', header + legacyLine({}) + one, [0, 1, 1], ['duplicate'], 2, true],
    ['with members in the envelope that nobody knows', header + one.replace('{', '{"epoch":5,'), [0, 1], [], 2, true],
    ['with several headers', header + header.replace('"ordinal":0', '"ordinal":1') + two, [0, 1, 2], [], 3, true],
    ['with blank lines', `${header}\n${one}  \n${two}\n`, [0, 1, 2], [], 3, true],
    ['of the old form', LEGACY, [0, 1, 2], [], 3, false],
    ['of the old form that says so', LEGACY.replace('"payload":{}', '"payload":{"history_mode":"legacy"}'), [0, 1, 2], [], 3, false],
    ['of the old form, with CR LF and damage', `${LEGACY}x\n${legacyLine({})}`.replaceAll('\n', '\r\n'), [0, 1, 2, 3], ['malformed'], 4, false],
    ['of the old form, that ends in a torn line', `${LEGACY}{"time`, [0, 1, 2], ['torn'], 3, false],
    ['of the old form, without its last newline', LEGACY.slice(0, -1), [0, 1, 2], [], 3, false],
    ['of the old form, to which somebody added a numbered line', LEGACY + codexLine(7).toString(), [0, 1, 2, 7], ['gap'], 8, false],
  ];
  test.each(FILES)('%s is read and gone on with in its own form', async (_what, text, ordinals, damage, next, isNumbered) => {
    const { directory, path } = directoryOf(text);
    const read = async (): Promise<[number[], string[]]> => {
      const found: [number[], string[]] = [[], []];
      for await (const { ordinal } of readRollout(path, { onDamage: ({ kind }) => { found[1].push(kind); } })) found[0].push(ordinal);
      return found;
    };
    expect(await read()).toEqual([ordinals, damage]);
    expect(await goOn(directory, ID, (thread) => { thread.append(numbered(0)); })).toBe(next);
    expect(await goOn(directory, ID, (thread) => { thread.append(numbered(1)); })).toBe(next + 1);
    expect(await read()).toEqual([[...ordinals, next, next + 1], damage.filter((kind) => kind !== 'torn')]);
    for (const line of linesOf(path).slice(-2)) expect(line).toMatch(OURS[`${isNumbered}`]);
    expect(JSON.parse(linesOf(path).at(-1) ?? '')).toMatchObject(numbered(1));
    const kept = text.slice(0, text.lastIndexOf('\n') + 1);
    expect(readFileSync(path, 'utf8').startsWith(damage.includes('torn') ? kept : text)).toBe(true);
  });

  test('without a header, or empty, is refused and left alone', async () => {
    for (const text of ['', one + two, legacyLine({})]) {
      const { directory, path } = directoryOf(text);
      const sidecar = await openTestSidecar({ directory });
      expect(await rejection(sidecar.resumeThread(ID))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT' });
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });

  test('of the old form keeps it when the writer dies and the process writes the rest itself', async () => {
    const { directory, path } = directoryOf(LEGACY);
    const items = [numbered(0), { type: 'event_msg', payload: 'BREAK' }, numbered(1)];
    const child = spawn(process.execPath, [HOST, directory, ID, JSON.stringify(items), breakingWriter().href], { stdio: ['ignore', 'inherit', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect((await itemsOf(path)).slice(2)).toEqual(items);
    for (const line of linesOf(path).slice(3)) expect(line).toMatch(OURS.false);
  });

  test('the control: a writer that numbers every line would have been noticed', async () => {
    const { directory, path } = directoryOf(LEGACY);
    const writerUrl = mutantWriter({ file: 'worker/group-output.js', find: 'this.#file.isNumbered ?', replace: 'true ?' });
    const sidecar = await openTestSidecar({ directory, writerUrl });
    const thread = await sidecar.resumeThread(ID);
    thread.append(numbered(0));
    await thread.close();
    expect(linesOf(path).at(-1)).not.toMatch(OURS.false);
  });
});
