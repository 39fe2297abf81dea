import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { assertSignal, invalidOption } from '../options.js';
import { isVersion7, newThreadId } from '../rollout/thread-id.js';
import type { ThreadId } from '../types.js';
import type { JobOptions } from './types.js';

/** Longer, and a timer would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Every number of a job: default, least, most. */
export const JOB_LIMITS = {
  concurrency: { default: 16, min: 1, max: 64 },
  attempts: { default: 1, min: 1, max: 1000 },
  itemTimeoutMs: { default: 1_800_000, min: 1, max: TIMER_MS_MAX },
  reportTimeoutMs: { default: 5000, min: 0, max: TIMER_MS_MAX },
} as const;
type LimitName = keyof typeof JOB_LIMITS;

/** What is stored with the job, so that it goes on as it began. */
export type JobSettings = Readonly<Record<LimitName, number>> & {
  readonly escapeFormulas: boolean;
  /** Absolute. */
  readonly outputCsvPath: string | undefined;
};

/** What is the program's: it is given anew to resumeJob(). */
export interface JobCode<Row extends object, Result> extends Pick<JobOptions<Row, Result>, 'worker' | 'resultSchema' | 'signal'> {
  readonly settings: JobSettings;
}

type Settable = Partial<Record<LimitName | 'escapeFormulas' | 'outputCsvPath', unknown>>;
type GivenOptions<Row extends object, Result> = Omit<JobOptions<Row, Result>, 'id' | 'rows' | 'idColumn'>;

/** Options as they were given, over `stored`. @throws LASTWORD_INVALID_OPTION */
export function checkJob<Row extends object, Result>(options: GivenOptions<Row, Result>, stored: Settable = {}): JobCode<Row, Result> {
  assertOptions(options);
  const { worker, resultSchema, signal } = options;
  if (typeof worker !== 'function') throw invalidOption('worker', worker, 'a function');
  if (resultSchema !== undefined && typeof (resultSchema as Partial<typeof resultSchema> | null)?.['~standard']?.validate !== 'function') {
    throw invalidOption('resultSchema', resultSchema, 'a Standard Schema validator');
  }
  assertSignal(signal);
  return { worker, resultSchema, signal, settings: settingsOf(options, stored) };
}

export function assertOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
}

/** @throws LASTWORD_INVALID_OPTION */
export function checkJobId(id: unknown): ThreadId {
  if (id === undefined) return newThreadId();
  if (!isVersion7(id)) throw invalidOption('id', id, 'a lower-case UUID of version 7');
  return id;
}

function settingsOf(given: Settable, stored: Settable): JobSettings {
  const of = (name: keyof Settable): unknown => (given[name] === undefined ? stored[name] : given[name]);
  const limit = (name: LimitName): number => {
    const { default: fallback, min, max } = JOB_LIMITS[name];
    const value = of(name) ?? fallback;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw invalidOption(name, value, `an integer, ${min} to ${max}`);
    return value;
  };
  const escapeFormulas = of('escapeFormulas') ?? false;
  if (typeof escapeFormulas !== 'boolean') throw invalidOption('escapeFormulas', escapeFormulas, 'true or false');
  return {
    concurrency: limit('concurrency'), attempts: limit('attempts'), itemTimeoutMs: limit('itemTimeoutMs'), reportTimeoutMs: limit('reportTimeoutMs'),
    escapeFormulas, outputCsvPath: outputPath(of('outputCsvPath')),
  };
}

/** Found out now rather than when the job has ended. */
function outputPath(path: unknown): string | undefined {
  if (path === undefined) return undefined;
  const isPath = typeof path === 'string' && path !== '' && !path.includes('\0');
  if (!isPath || !statSync(dirname(resolve(path)), { throwIfNoEntry: false })?.isDirectory() || statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw invalidOption('outputCsvPath', path, 'the path of a file in a folder that exists');
  }
  return resolve(path);
}
