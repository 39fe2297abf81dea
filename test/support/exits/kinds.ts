/** The ways in which a process ends, and the code or signal of each. */
import type { Burst, Scenario } from './run.js';

export interface End {
  readonly code: number | null;
  readonly signal?: NodeJS.Signals;
  readonly scenario?: Partial<Scenario>;
  /** The host's own appends exceed the ring: what is to fit gets a larger one. The stack's depth is another with the library in it, and so is the trace. */
  readonly isOverflow?: boolean;
  /** A variant of another end: one burst is enough. */
  readonly isVariant?: boolean;
}

const asOption = (signal: NodeJS.Signals): Partial<Scenario> => ({ end: 'signal', signal, options: { signals: [signal] }, delayMs: 60 });

/** By the name of the end, as `ends.mjs` has it; `scenario.end` where several are one there. */
export const ENDS: Readonly<Record<string, End>> = {
  'close()': { code: 0 },
  'end of the loop': { code: 0 },
  'end of the loop after a flush that nobody awaited': { code: 0, isVariant: true },
  'beforeExit that appends': { code: 0, isVariant: true },
  'process.exit()': { code: 3 },
  'process.exitCode': { code: 4 },
  'process.exit() in the tick of close()': { code: 3, isVariant: true },
  'uncaught exception in the tick of close()': { code: 1, isVariant: true },
  'process.exit() out of an item that is being appended': { code: 3, isVariant: true },
  'exit listener that closes': { code: 3, isVariant: true },
  'exit listener that appends': { code: 3 },
  'exit listener that appends, added last': { code: 3, isVariant: true },
  'exit listener that appends where the stack is used up': { code: 3 },
  'exit listener that throws': { code: 3 },
  'exit listener that throws at the end of the loop': { code: 1, isVariant: true },
  'exit listener that exits otherwise': { code: 9, isVariant: true },
  'uncaught exception': { code: 1 },
  'uncaught exception that is no error': { code: 1, isVariant: true },
  'unhandled rejection': { code: 1 },
  'stack overflow': { code: 1, isOverflow: true },
  'stack overflow, appending on the way back': { code: 1, isVariant: true, isOverflow: true },
  'stack overflow that the host survives': { code: 0, isVariant: true, isOverflow: true },
  'uncaughtException handler that throws': { code: 7 },
  'uncaught exception that the host survives': { code: 6 },
  'uncaught exception that the host hears, appends and exits': { code: 6, isVariant: true },
  'SIGTERM, with the option': { code: null, signal: 'SIGTERM', scenario: asOption('SIGTERM') },
  'SIGINT, with the option': { code: null, isVariant: true, signal: 'SIGINT', scenario: asOption('SIGINT') },
  'SIGHUP, with the option': { code: null, isVariant: true, signal: 'SIGHUP', scenario: asOption('SIGHUP') },
};

const LARGE = { ringBytes: 8 * 1024 * 1024, overflowBytes: 8 * 1024 * 1024 };

export function scenarioOf(name: string, { isOverflow, scenario }: End, burst: Burst = 'fits'): Scenario {
  const isLarge = isOverflow === true && (burst === 'idle' || burst === 'fits');
  return { end: name, burst, delayMs: 15, ...(isLarge ? { options: LARGE } : {}), ...scenario };
}
