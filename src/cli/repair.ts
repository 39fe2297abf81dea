/** `lastword repair`: cuts what is torn at the end of a rollout, and keeps it beside. */
import { realpath } from 'node:fs/promises';
import { FilePool } from '../pool/file-pool.js';
import type { RepairReport } from '../pool/tasks.js';
import { placeOf } from '../reader/lease-holder.js';
import { EXIT, type Exit } from './failure.js';
import { findThread } from './find-thread.js';
import type { Terminal } from './terminal.js';
import { counted, printable } from './text.js';

export interface RepairOptions {
  readonly directory: string;
  readonly isToWrite: boolean;
  readonly isJson: boolean;
}

export async function repair(thread: string, { directory, isToWrite, isJson }: RepairOptions, terminal: Terminal): Promise<Exit> {
  // By its real path, since the lease is that of the directory in which it really is.
  const path = await realpath((await findThread(thread, directory)).path);
  const pool = new FilePool({ threads: 1 });
  try {
    const report = await pool.run('repair', { path, place: placeOf(path), isToWrite });
    if (isJson) await terminal.json(report);
    else for (const line of linesOf(report)) await terminal.line(line);
    return report.isWhole || report.isRepaired ? EXIT.done : EXIT.damaged;
  } finally {
    await pool.close();
  }
}

function linesOf({ path, isWhole, isRepaired, wholeBytes, tornBytes, lacksNewline, isUnsynced, keptAt }: RepairReport): string[] {
  if (isWhole) return [`${printable(path)}: its end is whole, there is nothing to repair`];
  return [
    `${printable(path)}:`,
    ...(tornBytes > 0 ? [`    ${isRepaired ? 'cut' : 'to be cut'}: ${counted(tornBytes, 'byte')} from byte ${wholeBytes} on, ${keptAt === undefined ? 'kept beside it' : `kept at ${printable(keptAt)}`}`] : []),
    ...(lacksNewline ? [`    ${isRepaired ? 'added' : 'to be added'}: the newline of the last record`] : []),
    ...(isUnsynced ? [`    ${isRepaired ? 'made anew' : 'to be made anew'}: a sync of it failed`] : []),
    ...(isRepaired ? [] : ['nothing was changed: --write does it']),
  ];
}
