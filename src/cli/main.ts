#!/usr/bin/env node
/** The command `lastword`. */
import { CommanderError } from 'commander';
import { describe, EXIT, type Exit } from './failure.js';
import { programOf } from './program.js';
import { Terminal } from './terminal.js';
import { printable } from './text.js';

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;

const stop = new AbortController();
let exit: Exit = EXIT.done;
let stoppedBy: keyof typeof SIGNALS | undefined;

// The first one ends what is under way; a second one ends the process.
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    stoppedBy ??= name;
    stop.abort();
  });
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read it has enough.
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  fail(error);
  process.exit(exit);
});
process.stderr.on('error', () => undefined);

try {
  await programOf(new Terminal(stop.signal), (status) => { exit = status; }).parseAsync();
} catch (error) {
  if (stoppedBy === undefined) fail(error);
}
process.exitCode = stoppedBy === undefined ? exit : SIGNALS[stoppedBy];

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return;
    // It has said what it expects in help, where there was no command at all.
    const message = error.code === 'commander.help' ? 'no command' : error.message.replace(/^error: /, '');
    process.stderr.write(`lastword: ${printable(message).replaceAll('\n', ' ')} [USAGE]: see lastword --help\n`);
    exit = EXIT.usage;
    return;
  }
  const { line, exit: status } = describe(error);
  process.stderr.write(`${line}\n`);
  exit = status;
}
