/** Turns of the codex binary in a home of their own, and what they left. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readRollout } from 'lastword';
import { expect, inject, type TestContext } from 'vitest';
import { parseRolloutPath, rolloutPath } from '../../src/rollout/rollout-path.js';
import { openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { CODEX_VERSION, ISOLATED } from './install.js';
import './setup.js';

const OFFLINE = fileURLToPath(new URL('offline.mjs', import.meta.url));

/** A turn takes a second. */
const TURN_LIMIT_MS = 60_000;
/** What the processes around codex may take more. */
const MARGIN_MS = 15_000;

/** What offline.mjs is asked. */
interface Request {
  readonly binary: string;
  readonly home: string;
  readonly folder: string;
  readonly args: readonly string[];
  /** Shell commands that the model asks for, one after the other, before it answers. */
  readonly commands: readonly string[];
  readonly limitMs: number;
}

/** What offline.mjs answers. */
interface Answer {
  readonly status: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** The model's input, once for every request. */
  readonly inputs: readonly (readonly { content?: readonly { text?: string }[] | null }[])[];
}

/** A home of codex, which is also a sidecar's directory, and the folder its agent works in. */
export interface Home { readonly directory: string; readonly folder: string; readonly binary: string }

/** A fresh home; skips the test where there is no binary. */
export function codexHome({ skip }: TestContext): Home {
  const codex = inject('codex');
  if (!('binary' in codex)) return skip(codex.lacking);
  const root = temporaryFolder();
  const home = { directory: join(root, 'home'), folder: join(root, 'work'), binary: codex.binary };
  mkdirSync(home.directory);
  mkdirSync(home.folder);
  return home;
}

/** The members of `meta` that a host gives whose threads codex is to resume. */
export function metaFor({ folder }: Home): Record<string, string> {
  return { cwd: folder, originator: 'lastword_test', cli_version: CODEX_VERSION, source: 'exec', model_provider: 'scripted' };
}

export const OLD_ID = '019e1625-789d-76c0-80ab-3724b5ddb799';

/** A thread from before codex numbered records, with a question and an answer, or with the text given. Returns its path. */
export function oldThread(home: Home, text = oldText(home)): string {
  const path = rolloutPath(home.directory, OLD_ID);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function oldText(home: Home): string {
  const lines = [
    { type: 'session_meta', payload: { id: OLD_ID, timestamp: '2026-05-11T08:26:55.042Z', ...metaFor(home) } },
    message('user', 'the question'), { type: 'event_msg', payload: { type: 'user_message', message: 'the question' } }, message('assistant', 'the answer'),
  ];
  return lines.map((line) => `${JSON.stringify({ timestamp: '2026-05-11T08:27:17.490Z', ...line })}\n`).join('');
}

export function message(role: 'user' | 'assistant', text: string): { type: string; payload: object } {
  const content = [{ type: role === 'user' ? 'input_text' : 'output_text', text }];
  return { type: 'response_item', payload: { type: 'message', role, content } };
}

/** A new thread of codex's own, with one turn. */
export function startTurn(home: Home, prompt: string, options: { commands?: string[]; timeZone?: string } = {}): Promise<Answer> {
  return turn(home, ['exec', '--skip-git-repo-check', prompt], options);
}

/** One more turn of a thread that is there. */
export function resumeTurn(home: Home, id: string, prompt: string): Promise<Answer> {
  return turn(home, ['exec', 'resume', '--skip-git-repo-check', id, prompt]);
}

/** A new thread that goes on from another one, with one turn. */
export function forkTurn(home: Home, id: string, prompt: string): Promise<Answer> {
  return turn(home, ['exec', 'fork', '--skip-git-repo-check', id, prompt]);
}

function turn(
  { binary, directory, folder }: Home, args: string[], { commands = [], timeZone = 'UTC' }: { commands?: string[]; timeZone?: string } = {},
): Promise<Answer> {
  const request: Request = { binary, home: directory, folder, args, commands, limitMs: TURN_LIMIT_MS };
  const [unshare, ...flags] = ISOLATED;
  return new Promise((resolve, reject) => {
    // Its stdin stays open: when this process dies, that ends, and codex with it.
    const child = spawn(unshare, [...flags, process.execPath, OFFLINE, JSON.stringify(request)], {
      env: { ...process.env, TZ: timeZone }, timeout: TURN_LIMIT_MS + MARGIN_MS, killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    child.on('error', reject).on('close', (status, signal) => {
      if (status === 0) resolve(JSON.parse(stdout) as Answer);
      else reject(new Error(`codex could not be run: ${status ?? signal}: ${stderr}`));
    });
  });
}

/** The rollouts in the home, by thread. */
export function rolloutsOf({ directory }: Home): Map<string, string> {
  const names = readdirSync(join(directory, 'sessions'), { recursive: true, encoding: 'utf8' });
  return new Map(names.flatMap((name) => {
    const id = parseRolloutPath(name)?.id;
    return id === undefined ? [] : [[id, join(directory, 'sessions', name)]];
  }));
}

/** Asserts that the turn ended well, and gives the texts that its model was last asked with, in order. */
export function heardBy({ status, timedOut, stderr, inputs }: Answer): string[] {
  expect({ status, timedOut }, stderr).toEqual({ status: 0, timedOut: false });
  return (inputs.at(-1) ?? []).flatMap(({ content }) => (content ?? []).flatMap(({ text }) => text ?? []));
}

/** Asserts that every byte of the rollout belongs to a record and that ordinals go from 0 on without a gap; gives the types. */
export async function wholeTypes(path: string): Promise<string[]> {
  const records = await recordsOf(path);
  expect(records.map(({ ordinal }) => ordinal)).toEqual(upTo(records.length));
  return records.map(({ type }) => type);
}

/** The ordinals of all records of a file, and its damage: kind and ordinal. */
export async function readThrough(path: string): Promise<{ ordinals: number[]; damage: string[] }> {
  const damage: string[] = [];
  const ordinals: number[] = [];
  for await (const record of readRollout(path, { onDamage: ({ kind, ordinal }) => damage.push(`${kind} ${ordinal}`) })) ordinals.push(record.ordinal);
  return { ordinals, damage };
}

/** The texts of all messages in the effective view of a thread, as a model would get them. */
export async function messagesIn({ directory }: Home, id: string): Promise<string[]> {
  const sidecar = await openTestSidecar({ directory });
  const texts: string[] = [];
  for await (const { type, payload } of sidecar.readThread(id, { onDamage: ({ kind, ordinal }) => { throw new Error(`${kind} ${ordinal}`); } })) {
    const { type: kind, content = [] } = payload as { type?: string; content?: { text?: string }[] };
    if (type === 'response_item' && kind === 'message') texts.push(...content.flatMap(({ text }) => text ?? []));
  }
  await sidecar.close();
  return texts;
}

/** Resumes the thread with the library, appends, closes; gives the ordinals that the items got, and what was found at the end. */
export async function resumeHere({ directory }: Home, id: string, ...texts: string[]): Promise<{ ordinals: number[]; tornBytes: number }> {
  const sidecar = await openTestSidecar({ directory });
  const thread = await sidecar.resumeThread(id);
  const ordinals = texts.map((text) => thread.append(message('user', text)));
  const receipt = await thread.close();
  expect(receipt.items).toBe(texts.length);
  await sidecar.close();
  return { ordinals, tornBytes: thread.recovery?.tornBytes ?? 0 };
}
