import { constants } from 'node:os';
import { resolve } from 'node:path';
import type { BaseLogger } from 'pino';
import { LastwordError } from './errors.js';
import { KIB, MIB } from './ring/layout.js';
import { isThreadId } from './rollout/thread-id.js';
import type {
  CloseOptions, CreateThreadOptions, Durability, FlushOptions, ForkThreadOptions, Redact, ResumeThreadOptions, ThreadId,
} from './types.js';

const DURABILITIES = ['accepted', 'written', 'synced'] as const satisfies readonly Durability[];

/** What the sidecar logs through: pino's, or anything of that shape. */
export type Logger = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'> & { child?: unknown };

/** Options of openSidecar(). Limits and defaults are in LIMITS. */
export interface SidecarOptions {
  /** Root. Rollouts: `<directory>/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`. Created (0700) when missing. */
  directory: string;
  /** What flush() and close() wait for unless told otherwise. Default 'written'. */
  durability?: Durability | undefined;
  /** Longest time written bytes stay unsynced, ms. Default 1000. 0: only on request and at `unsyncedBytes`. */
  syncIntervalMs?: number | undefined;
  /** Written bytes held for rewriting until they are synced; reaching it starts a sync. At most twice as many are held. Default 64 MiB. */
  unsyncedBytes?: number | undefined;
  /** Shared-memory ring per producer, bytes, a power of two. Default 8 MiB. */
  ringBytes?: number | undefined;
  /** Further shared memory that may queue behind a full ring, and holds large items, bytes. Default 128 MiB, reserved, not touched until used. */
  overflowBytes?: number | undefined;
  /** When ring and overflow are full: 'wait' blocks the appending thread until there is room, at most fullTimeoutMs; 'throw' throws LASTWORD_RING_FULL at once. Default 'wait'. */
  whenFull?: 'wait' | 'throw' | undefined;
  /** Longest block of one append, ms; then LASTWORD_RING_FULL, and at once for further appends until there is room. Default 1000. */
  fullTimeoutMs?: number | undefined;
  /** Largest encoded item, bytes; at most overflowBytes. Default 64 MiB, or overflowBytes where that is less. */
  itemBytesMax?: number | undefined;
  /** Rollout files held open at once, at most half of the descriptors that the process may have (Linux); more threads than this are fine. Default 512. */
  openFilesMax?: number | undefined;
  /** Bound on closing one thread, or the sidecar, ms; also on a flush that names none. Default 10 000. */
  closeTimeoutMs?: number | undefined;
  /** Bound on the synchronous drain in process 'exit', ms. Default 5000. 0 switches it off. */
  exitTimeoutMs?: number | undefined;
  /** Signals on which to close and then re-raise. Default none: signal handling is the host's. */
  signals?: NodeJS.Signals[] | undefined;
  /** Runs synchronously before an item leaves the caller, to remove secrets. Its result is what is stored and counted; if it throws, the item is refused (LASTWORD_ITEM_INVALID). */
  redact?: Redact | undefined;
  /** A pino logger (a child is taken where there is one), or false. Default: a pino logger at level 'warn' on stderr. */
  logger?: Logger | false | undefined;
  /** For hosts that bundle: where the writer's entry file is. */
  writerUrl?: URL | undefined;
}

interface Limit { readonly default: number; readonly min: number; readonly max: number }

/** Every number a host may set: default, least, most. Bytes or milliseconds, as the name says. */
export const LIMITS = {
  ringBytes: { default: 8 * MIB, min: 64 * KIB, max: 1024 * MIB },
  // More, and the arena's capacity were 2^31: differences of positions would not fit into a word.
  overflowBytes: { default: 128 * MIB, min: 64 * KIB, max: 512 * MIB },
  itemBytesMax: { default: 64 * MIB, min: KIB, max: 512 * MIB },
  fullTimeoutMs: { default: 1000, min: 0, max: 3_600_000 },
  syncIntervalMs: { default: 1000, min: 0, max: 86_400_000 },
  unsyncedBytes: { default: 64 * MIB, min: 64 * KIB, max: 16 * 1024 * MIB },
  openFilesMax: { default: 512, min: 1, max: 1_000_000 },
  closeTimeoutMs: { default: 10_000, min: 1, max: 3_600_000 },
  exitTimeoutMs: { default: 5000, min: 0, max: 3_600_000 },
} as const satisfies Record<string, Limit>;
type LimitName = keyof typeof LIMITS;

/** Options with every default filled in and every value checked. */
export type ResolvedOptions = Record<LimitName, number> & {
  readonly directory: string;
  readonly durability: Durability;
  readonly whenFull: 'wait' | 'throw';
  readonly signals: readonly NodeJS.Signals[];
  readonly redact: Redact | undefined;
  readonly logger: Logger | false | undefined;
  readonly writerUrl: URL | undefined;
};

/** @throws LASTWORD_INVALID_OPTION with context.option, context.value and, in the message, what is allowed. */
export function resolveOptions(options: SidecarOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object with at least `directory`');
  const overflowBytes = limit(options, 'overflowBytes');
  const ringBytes = limit(options, 'ringBytes');
  if (!Number.isInteger(Math.log2(ringBytes))) throw invalidOption('ringBytes', ringBytes, `a power of two, ${rangeOf('ringBytes')}`);
  const itemBytesMax = options.itemBytesMax === undefined
    ? Math.min(LIMITS.itemBytesMax.default, overflowBytes)
    : limit(options, 'itemBytesMax');
  if (itemBytesMax > overflowBytes) throw invalidOption('itemBytesMax', itemBytesMax, `at most overflowBytes, ${overflowBytes}`);
  const { redact, logger, writerUrl } = options;
  if (redact !== undefined && typeof redact !== 'function') throw invalidOption('redact', redact, 'a function');
  if (logger !== undefined && logger !== false && !isLogger(logger)) {
    throw invalidOption('logger', typeof logger, 'false, or an object with debug, info, warn and error');
  }
  if (writerUrl !== undefined && !(writerUrl instanceof URL && writerUrl.protocol === 'file:')) {
    throw invalidOption('writerUrl', writerUrl instanceof URL ? writerUrl.href : writerUrl, 'a URL object of a file');
  }
  return {
    overflowBytes, ringBytes, itemBytesMax,
    fullTimeoutMs: limit(options, 'fullTimeoutMs'),
    syncIntervalMs: limit(options, 'syncIntervalMs'),
    unsyncedBytes: limit(options, 'unsyncedBytes'),
    openFilesMax: limit(options, 'openFilesMax'),
    closeTimeoutMs: limit(options, 'closeTimeoutMs'),
    exitTimeoutMs: limit(options, 'exitTimeoutMs'),
    signals: signalsOption(options.signals),
    durability: durabilityOption(options.durability, 'written'),
    whenFull: choice('whenFull', options.whenFull, ['wait', 'throw'], 'wait'),
    redact, logger, writerUrl,
    directory: resolveDirectory(options.directory),
  };
}

export function invalidOption(option: string, value: unknown, allowed: string, cause?: unknown): LastwordError {
  const shown = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
  return new LastwordError('LASTWORD_INVALID_OPTION', `option ${option} is ${shown}; allowed: ${allowed}`, { option, value },
    cause === undefined ? undefined : { cause });
}

function rangeOf(name: LimitName): string {
  return `${LIMITS[name].min} to ${LIMITS[name].max}`;
}

function limit(options: SidecarOptions, name: LimitName): number {
  const value = options[name];
  if (value === undefined) return LIMITS[name].default;
  const { min, max } = LIMITS[name];
  if (!Number.isInteger(value) || value < min || value > max) throw invalidOption(name, value, `an integer, ${rangeOf(name)}`);
  return value;
}

/** One of a few words, or the default where none is given. */
export function choice<Word extends string>(name: string, value: Word | undefined, words: readonly Word[], fallback: Word): Word {
  if (value === undefined) return fallback;
  if (!words.includes(value)) throw invalidOption(name, value, words.map((word) => `'${word}'`).join(', '));
  return value;
}

function durabilityOption(value: Durability | undefined, fallback: Durability): Durability {
  return choice('durability', value, DURABILITIES, fallback);
}

/** Options of flush(), close() and drained(), checked, with the sidecar's defaults. */
export function checkFlush(
  options: FlushOptions, defaults: { readonly durability: Durability; readonly closeTimeoutMs: number },
): { durability: Durability; timeoutMs: number; signal: AbortSignal | undefined } {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  const { signal } = options;
  assertSignal(signal);
  return {
    durability: durabilityOption(options.durability, defaults.durability),
    timeoutMs: timeout(options.timeoutMs, defaults.closeTimeoutMs),
    signal,
  };
}

/** Options of close(), checked, with the sidecar's defaults. */
export function checkClose(
  options: CloseOptions, defaults: { readonly durability: Durability; readonly closeTimeoutMs: number },
): { durability: Durability; timeoutMs: number; waitForTracked: boolean; abandon: boolean } {
  const { durability, timeoutMs } = checkFlush(options, defaults);
  const { waitForTracked = true, abandon = false } = options;
  if (typeof waitForTracked !== 'boolean') throw invalidOption('waitForTracked', waitForTracked, 'true or false');
  if (typeof abandon !== 'boolean') throw invalidOption('abandon', abandon, 'true or false');
  return { durability, timeoutMs, waitForTracked, abandon };
}

/** Options of resumeThread(), checked. */
export function checkResume(options: ResumeThreadOptions): Required<Pick<ResumeThreadOptions, 'signal'>> & { ifMissing: 'error' | 'create'; create: CreateThreadOptions } {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  const { create = {}, signal } = options;
  if (typeof create !== 'object' || create === null) throw invalidOption('create', create, 'an object');
  assertSignal(signal);
  return { ifMissing: choice('ifMissing', options.ifMissing, ['error', 'create'], 'error'), create, signal };
}

/** Options of forkThread(), checked; those of the new thread are its creation's to check. */
export function checkFork(options: ForkThreadOptions): ForkThreadOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  const { through } = options;
  if (through !== undefined && !(Number.isSafeInteger(through) && through >= 0)) throw invalidOption('through', through, 'an ordinal');
  return options;
}

export function assertSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidOption('signal', signal, 'an AbortSignal');
}

/** A duration a call may name, or the default where it names none. */
function timeout(value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= 0) || value > LIMITS.closeTimeoutMs.max) {
    throw invalidOption('timeoutMs', value, `milliseconds, 0 to ${LIMITS.closeTimeoutMs.max}`);
  }
  return value;
}

/** Signals that a process can listen to. */
function signalsOption(value: unknown): readonly NodeJS.Signals[] {
  const known = Object.keys(constants.signals).filter((name) => name !== 'SIGKILL' && name !== 'SIGSTOP');
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption('signals', value, 'a list of names of signals');
  for (const name of value as unknown[]) {
    if (!known.includes(name as string)) throw invalidOption('signals', name, 'names of signals that can be caught, such as SIGTERM');
  }
  return [...new Set(value as NodeJS.Signals[])];
}

function isLogger(logger: unknown): logger is Logger {
  if (typeof logger !== 'object' || logger === null) return false;
  return ['debug', 'info', 'warn', 'error'].every((level) => typeof (logger as Record<string, unknown>)[level] === 'function');
}

/** What is allowed as a directory; the writer makes it, and finds out whether it can be written to. */
export const DIRECTORY_ALLOWED = 'the path of a folder that this process may write to';

function resolveDirectory(directory: unknown): string {
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    throw invalidOption('directory', directory, DIRECTORY_ALLOWED);
  }
  return resolve(directory);
}

/** @throws LASTWORD_INVALID_OPTION */
export function assertThreadId(id: unknown, option = 'id'): asserts id is ThreadId {
  if (!isThreadId(id)) throw invalidOption(option, id, 'a lower-case UUID');
}
