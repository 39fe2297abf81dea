/** What is read of a damaged rollout, what is reported, and what resuming does to it: cut at every byte, and with each byte changed. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Damage, RolloutRecord, Sidecar } from 'lastword';
import { readRollout } from 'lastword';
import { describe, expect, test } from 'vitest';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { mutantWriter } from '../support/mutants.js';
import { codexLine, lineOf } from '../support/rollouts.js';
import { numbered, openTestSidecar, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const ID = '01936c1e-7b2a-7000-8000-000000000001';
const NEWLINE = 0x0a;

/** A thread whose rollout is written by hand. */
interface Bench { readonly sidecar: Sidecar; readonly path: string; readonly keptAt: string }

async function bench(writerUrl?: URL): Promise<Bench> {
  const directory = temporaryFolder();
  const path = rolloutPath(directory, ID);
  mkdirSync(dirname(path), { recursive: true });
  return { sidecar: await openTestSidecar({ directory, ...(writerUrl === undefined ? {} : { writerUrl }) }), path, keptAt: `${path}.torn-1` };
}

interface Read { ordinals: number[]; texts: unknown[]; damage: Damage[] }

async function read(path: string): Promise<Read> {
  const result: Read = { ordinals: [], texts: [], damage: [] };
  for await (const record of readRollout(path, { onDamage: (damage) => { result.damage.push(damage); } })) {
    result.ordinals.push(record.ordinal);
    result.texts.push(textOf(record));
  }
  return result;
}

const textOf = ({ payload }: RolloutRecord): unknown => (payload as { text?: unknown }).text;

/** What is expected of one damaged file. */
interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  /** Numbers of the lines that are read. */
  readonly whole: number[];
  /** The bytes that the reports cover, and whether they are a torn end. */
  readonly damaged: { from: number; to: number; isTorn: boolean } | undefined;
  /** What resuming leaves of the file, and the next ordinal; undefined where it refuses. */
  readonly resumed: { bytes: Buffer; kept: Buffer; next: number } | undefined;
}

/** What is wrong with how the case is treated; empty when all is as expected. */
async function judge({ sidecar, path, keptAt }: Bench, { bytes, whole, damaged, resumed }: Case): Promise<string[]> {
  const wrong: string[] = [];
  const check = (what: string, actual: unknown, expected: unknown): void => {
    if (JSON.stringify(actual) !== JSON.stringify(expected)) wrong.push(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
  };
  writeFileSync(path, bytes);
  rmSync(keptAt, { force: true });

  const before = await read(path);
  check('records read', before.texts, whole.map((line) => `record ${line}`));
  check('that damage is reported', before.damage.length > 0, damaged !== undefined);
  for (const { kind, offset, bytes: length } of before.damage) {
    const isInside = damaged !== undefined && offset >= damaged.from && offset + length <= damaged.to;
    if (!isInside) wrong.push(`reported outside of what is damaged: ${kind} at ${offset}, ${length} bytes`);
    check('kind', kind === 'torn', damaged?.isTorn);
  }
  if (resumed === undefined) {
    check('refusal', (await rejection(sidecar.resumeThread(ID)) as { code?: unknown }).code, 'LASTWORD_ROLLOUT_CORRUPT');
    check('that a refused file is left alone', readFileSync(path).equals(bytes), true);
    return wrong;
  }

  const first = await sidecar.resumeThread(ID);
  const isCut = resumed.kept.length > 0;
  check('recovery', first.recovery, isCut ? { tornBytes: resumed.kept.length, keptAt } : undefined);
  check('next ordinal', first.accepted, resumed.next);
  await first.close();
  check('what resuming leaves', readFileSync(path).equals(resumed.bytes), true);
  check('what it keeps', existsSync(keptAt) && readFileSync(keptAt, 'latin1'), isCut && resumed.kept.toString('latin1'));

  const second = await sidecar.resumeThread(ID);
  check('what the second time finds', [second.recovery, second.accepted, readFileSync(path).equals(resumed.bytes)], [undefined, resumed.next, true]);
  check('ordinal of what is appended', second.append(numbered(0)), resumed.next);
  await second.close();
  check('that no byte before it changed', readFileSync(path).subarray(0, resumed.bytes.length).equals(resumed.bytes), true);
  const after = await read(path);
  check('records read at last', after.texts, [...whole.map((line) => `record ${line}`), 'item 0']);
  check('its ordinal at last', after.ordinals.at(-1), resumed.next);
  check('that what is torn is gone', after.damage.some(({ kind }) => kind === 'torn'), false);
  return wrong;
}

/** What is wrong with the first case that is not treated as expected. */
async function firstWrong(rig: Bench, cases: Iterable<Case>): Promise<string[]> {
  for (const one of cases) {
    const wrong = await judge(rig, one).catch((error: unknown) => [String(error)]);
    if (wrong.length > 0) return [one.name, ...wrong];
  }
  return [];
}

const FORMS: readonly [string, Buffer[]][] = [
  ['as we write it', upTo(5).map((line) => lineOf(line))],
  ['as codex writes it', upTo(5).map((line) => codexLine(line, { text: `record ${line}`, history_mode: 'paginated' }))],
  ['as codex wrote it before it numbered records', [
    Buffer.from(codexLine(0, { text: 'record 0' }).toString().replace('"ordinal":0,', '')), ...[1, 2, 3, 4].map((line) => codexLine(undefined, { text: `record ${line}` })),
  ]],
];

/** Cut at every byte of the last three records, the end of the file included. */
function* cuts(lines: Buffer[]): Generator<Case> {
  const file = Buffer.concat(lines);
  const firstCut = lines.slice(0, -3).reduce((bytes, line) => bytes + line.length, 0);
  for (let cut = firstCut; cut <= file.length; cut += 1) {
    let [whole, end] = [0, 0];
    for (const line of lines) if (cut >= end + line.length - 1) [whole, end] = [whole + 1, end + line.length];
    const isTorn = cut > end;
    yield {
      name: `cut at ${cut}`,
      bytes: file.subarray(0, cut),
      whole: upTo(whole),
      damaged: isTorn ? { from: end, to: cut, isTorn } : undefined,
      resumed: { bytes: file.subarray(0, end), kept: isTorn ? file.subarray(end, cut) : Buffer.alloc(0), next: whole },
    };
  }
}

const CHANGES: readonly [string, (byte: number) => number][] = [
  ['its lowest bit flipped', (byte) => byte ^ 0x01], ['its highest bit flipped', (byte) => byte ^ 0x80],
  ['a NUL in its place', () => 0], ['a line end in its place', () => NEWLINE],
];

/** One byte changed, of any line. What stands behind a line end that is gone is found by its own checksum. */
function* changed(lines: Buffer[], change: (byte: number) => number): Generator<Case> {
  const file = Buffer.concat(lines);
  for (let at = 0; at < file.length; at += 1) {
    const byte = file[at] ?? 0;
    if (change(byte) === byte) continue;
    const bytes = Buffer.from(file);
    bytes[at] = change(byte);
    let [hit, from] = [0, 0];
    for (; at >= from + (lines[hit]?.length ?? 0); hit += 1) from += lines[hit]?.length ?? 0;
    const to = from + (lines[hit]?.length ?? 0);
    const isTorn = hit === lines.length - 1;
    const left = { bytes, kept: Buffer.alloc(0), next: lines.length };
    // A line end in front of what is torn makes a blank line, which stays.
    const tornFrom = at === from && bytes[at] === NEWLINE ? from + 1 : from;
    const cut = { bytes: bytes.subarray(0, tornFrom), kept: bytes.subarray(tornFrom), next: hit };
    yield {
      name: `byte ${at}`,
      bytes,
      whole: upTo(lines.length).filter((line) => line !== hit),
      damaged: { from, to, isTorn },
      resumed: hit === 0 ? undefined : isTorn ? cut : left,
    };
  }
}

describe('a rollout', () => {
  test.each(FORMS)('%s, cut at every byte of its last three records, is read up to the cut, cut back once, and gone on with', async (_form, lines) => {
    const cases = [...cuts(lines)];
    expect(cases.length).toBeGreaterThan(200);
    expect(await firstWrong(await bench(), cases)).toEqual([]);
  });

  test.each(CHANGES)('with one byte changed, %s, loses that record alone, and only where it is the last one is the file cut', async (_what, change) => {
    const cases = [...changed(upTo(4).map((line) => lineOf(line)), change)];
    expect(cases.length).toBeGreaterThan(300);
    expect(await firstWrong(await bench(), cases)).toEqual([]);
  });

  test.each([
    ['cuts nothing', 'worker/recovery/resume-rollout.js', 'if (tornBytes > 0)', 'if (false)'],
    ['cuts damage in the middle', 'worker/recovery/find-end.js', '[tornStart, ', '[tornStart === size ? 0 : tornStart, '],
    ['keeps nothing', 'worker/recovery/resume-rollout.js', 'done < tornBytes', 'done < 0'],
    ['uses a number again', 'worker/recovery/find-end.js', '(highest ?? 0) + 1', '(highest ?? 0)'],
    ['ends no line', 'worker/recovery/resume-rollout.js', 'if (!lacksNewline)', 'if (true)'],
    ['believes a wrong checksum', 'src/rollout/envelope.js', "(verdict === 'absent' ? decodeLine(line) : undefined)", 'decodeLine(line)'],
  ])('the control: a writer that %s is found out by the same tables', async (_what, file, find, replace) => {
    const lines = upTo(4).map((line) => lineOf(line));
    const cases = [...cuts(lines), ...changed(lines, (byte) => byte ^ 0x01)];
    expect(await firstWrong(await bench(mutantWriter({ file, find, replace })), cases)).not.toEqual([]);
  });
});
