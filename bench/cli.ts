import { parseArgs, type ParseArgsConfig } from 'node:util';
import { freshSeed } from './load/prng.js';

/** Bad arguments, or an input that cannot be used: a message for the user, exit status 2, no stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const SEED_LIMIT = 2 ** 32;

export function parseOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T; strict: true; allowPositionals: false }>>['values'] {
  try {
    return parseArgs({ options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A whole number of at least `least`, below `limit`. */
export function wholeNumber(option: string, text: string, least: number, limit: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < least || value >= limit) {
    throw new UsageError(`--${option} takes a whole number from ${least} to ${limit - 1}, not '${text}'`);
  }
  return value;
}

export function seedOf(text: string | undefined): number {
  return text === undefined ? freshSeed() : wholeNumber('seed', text, 0, SEED_LIMIT);
}

/** Runs a program to its exit status. Usage errors are shown with the usage, anything else with its stack. */
export async function runProgram(usage: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    process.exitCode = 2;
  }
}
