/** What a command ends with: its exit status, and one line that says what is wrong and what to do. */
import { isLastwordError, type LastwordErrorCode } from '../errors.js';
import { printable } from './text.js';

/** Documented in --help and docs/guide/command-line.md. */
export const EXIT = { done: 0, damaged: 1, usage: 2, notFound: 3, noRollout: 4, busy: 5, failed: 6, interrupted: 130, terminated: 143 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

interface Outcome {
  readonly exit: Exit;
  readonly advice: string;
}

/** A mistake in what was asked for, found by the command line itself. */
export class CommandError extends Error {
  readonly code: LastwordErrorCode;
  readonly outcome: Outcome;

  constructor(code: LastwordErrorCode, message: string, outcome: Outcome) {
    super(message);
    this.code = code;
    this.outcome = outcome;
  }
}

const OTHER: Outcome = { exit: EXIT.failed, advice: 'the system refused it: see what stands before' };
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  LASTWORD_INVALID_OPTION: { exit: EXIT.usage, advice: 'see lastword --help' },
  LASTWORD_THREAD_NOT_FOUND: { exit: EXIT.notFound, advice: 'lastword ls <directory> lists what there is' },
  LASTWORD_ROLLOUT_CORRUPT: { exit: EXIT.noRollout, advice: 'lastword verify <path> says what is in it, lastword show --raw <path> shows what can be read' },
  LASTWORD_THREAD_BUSY: { exit: EXIT.busy, advice: 'close the thread there, or end that process, first; reading works meanwhile' },
  ENOENT: { exit: EXIT.notFound, advice: 'check the path' },
  ENOTDIR: { exit: EXIT.notFound, advice: 'check the path' },
  EACCES: { exit: EXIT.failed, advice: 'run it as the user whose files they are' },
  EPERM: { exit: EXIT.failed, advice: 'run it as the user whose files they are' },
  EROFS: { exit: EXIT.failed, advice: 'the file system is read-only: copy the directory elsewhere' },
  ENOSPC: { exit: EXIT.failed, advice: 'make room on the disk' },
};

/** One line without its end, and the status. */
export function describe(error: unknown): { readonly line: string; readonly exit: Exit } {
  const { code, message, path, outcome } = read(error);
  const where = path === undefined || message.includes(path) ? '' : `: ${path}`;
  return { line: printable(`lastword: ${message}${where} [${code}]: ${outcome.advice}`).replaceAll(/\s*\n\s*/g, ' '), exit: outcome.exit };
}

function read(error: unknown): { code: string; message: string; path?: string | undefined; outcome: Outcome } {
  if (error instanceof CommandError) return error;
  const system = [error, (error as Partial<Error> | undefined)?.cause].find((one) => typeof (one as NodeJS.ErrnoException | undefined)?.syscall === 'string') as NodeJS.ErrnoException | undefined;
  const context = isLastwordError(error) ? error.context : undefined;
  const known = isLastwordError(error) ? OUTCOMES[error.code] : undefined;
  if (isLastwordError(error) && (known !== undefined || system === undefined)) {
    return { code: error.code, message: error.message.replace(` [${error.code}]`, ''), path: context?.path, outcome: known ?? OTHER };
  }
  if (system !== undefined) {
    const { code = 'EIO' } = system;
    return { code, message: system.message.replace(`${code}: `, ''), path: system.path ?? context?.path, outcome: OUTCOMES[code] ?? OTHER };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), outcome: { exit: EXIT.failed, advice: 'this is a defect of lastword: please report it' } };
}
