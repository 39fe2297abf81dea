import pino from 'pino';
import type { Logger } from './options.js';

/** One method for each level of the table in docs/lifecycle.md. Members are ids, codes and counts; never payload. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (members: Record<string, unknown>, message: string) => void>;

const silent = (): void => undefined;

/** The host's logger, or a child of it; pino on stderr from 'warn' up where none was given. */
export function createLog(logger: Logger | false | undefined): Log {
  if (logger === false) return { debug: silent, info: silent, warn: silent, error: silent };
  if (logger === undefined) return pino({ name: 'lastword', level: 'warn' }, pino.destination({ dest: 2, sync: true }));
  const { child } = logger;
  return typeof child === 'function' ? (child as (this: Logger, bindings: object) => Log).call(logger, { name: 'lastword' }) : logger;
}
