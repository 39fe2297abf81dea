/** The commands, their options, and what --help says of them. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '../version.js';
import type { Exit } from './failure.js';
import { list } from './list.js';
import { repair } from './repair.js';
import { show } from './show.js';
import { tail } from './tail.js';
import type { Terminal } from './terminal.js';
import { verify } from './verify.js';

interface ThreadOptions { readonly dir: string; readonly json?: boolean }
interface ViewOptions extends ThreadOptions { readonly raw?: boolean }
interface ListOptions {
  readonly json?: boolean; readonly tree?: boolean; readonly archived?: boolean; readonly limit?: number; readonly since?: number;
  readonly parent?: string; readonly cwd?: string; readonly sort: 'created' | 'updated';
}

const THREAD = 'a path (with a / in it, or .jsonl at its end), an id, or the beginning of an id below --dir';
const RAW = 'every record of this file, in place of the thread as it is in effect';
const JSON_LINES = 'one JSON object a line';
const STATUSES = `
Exit status:
  0  done, and nothing is wrong
  1  something is damaged: what could be read was printed (repair: there is something to repair)
  2  wrong usage, or the beginning of several ids
  3  no such directory, rollout or thread
  4  not a rollout, or one that cannot be read
  5  the thread is open in a live process (repair)
  6  the system refused: no permission, an I/O error
  130 interrupted (Ctrl-C)

Colours: only on a terminal, and not with NO_COLOR.`;
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** `done` gets the exit status of the command that ran. */
export function programOf(terminal: Terminal, done: (exit: Exit) => void): Command {
  const program = new Command('lastword')
    .description('Looks at, verifies and repairs the rollouts of agents\' threads. Needs no running sidecar.')
    .version(VERSION).addHelpText('after', STATUSES)
    .showSuggestionAfterError(false).exitOverride().configureOutput({ writeErr: () => undefined });

  program.command('ls').argument('<directory>', 'that of a sidecar, or Codex\'s home').description('threads, newest first: id, time (UTC), size, who has it open, title')
    .option('--tree', 'children below their parents')
    .option('--archived', 'the archived ones in place of the others')
    .option('--limit <count>', 'so many at most', wholeNumber)
    .option('--since <time>', 'only those made then or later: a date, a time (UTC), or how long ago: 30m, 12h, 2d, 1w', momentOf)
    .option('--parent <id>', 'only children of that thread; an id, or the beginning of one')
    .option('--cwd <folder>', 'only those that worked there')
    .addOption(new Option('--sort <order>', 'by what, newest first').choices(['created', 'updated']).default('created'))
    .option('--json', JSON_LINES)
    .action(async (directory: string, { json = false, tree = false, archived = false, since, limit, parent, cwd, sort }: ListOptions) => {
      done(await list(directory, { isJson: json, isTree: tree, isArchived: archived, sinceMs: since, limit, parent, cwd, sort }, terminal));
    });

  threadCommand(program, 'show', 'the records of a thread, as a transcript')
    .option('--raw', RAW)
    .option('--from <ordinal>', 'from that record on', wholeNumber)
    .option('--last <count>', 'only the last few', wholeNumber)
    .action(async (thread: string, { dir, json = false, raw = false, from, last }: ViewOptions & { readonly from?: number; readonly last?: number }) => {
      done(await show(thread, { directory: dir, isJson: json, isRaw: raw, from, last }, terminal));
    });

  threadCommand(program, 'tail', 'the last records of a thread')
    .option('-f, --follow', 'go on with those that are written, until nobody has the thread open')
    .option('-n, --lines <count>', 'how many records', wholeNumber, 10)
    .option('--raw', RAW)
    .action(async (thread: string, { dir, json = false, raw = false, follow = false, lines }: ViewOptions & { readonly follow?: boolean; readonly lines: number }) => {
      done(await tail(thread, { directory: dir, isJson: json, isRaw: raw, isFollowing: follow, lines }, terminal));
    });

  program.command('verify').argument('<directory>', 'or the path of one rollout').description('checksums, order and end of every rollout, archived ones too, on all cores')
    .option('--json', `${JSON_LINES}, one for each rollout`)
    .action(async (path: string, { json = false }: ThreadOptions) => { done(await verify(path, { isJson: json }, terminal)); });

  threadCommand(program, 'repair', 'what is torn at the end of a rollout: says what is to be cut')
    .option('--write', 'cut it, and keep it beside the rollout')
    .action(async (thread: string, { dir, json = false, write = false }: ThreadOptions & { readonly write?: boolean }) => {
      done(await repair(thread, { directory: dir, isJson: json, isToWrite: write }, terminal));
    });
  return program;
}

function threadCommand(program: Command, name: string, description: string): Command {
  return program.command(name).argument('<thread>', THREAD).description(description)
    .option('--dir <directory>', 'where ids are looked for', '.')
    .option('--json', JSON_LINES);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number from 0.');
  return value;
}

/** Ms since 1970. */
function momentOf(text: string): number {
  const [, count, unit = ''] = /^(\d+)([mhdw])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * (UNITS[unit] ?? 0);
  const isZoned = /([zZ]|[+-]\d\d:?\d\d)$/.test(text.slice(10));
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.length > 10 && !isZoned ? `${text}Z` : text) : NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It must be a date, a time, or how long ago: 2026-01-31, 2026-01-31T12:00, 2d.');
  return ms;
}
