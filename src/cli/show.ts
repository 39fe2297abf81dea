import { EXIT, type Exit } from './failure.js';
import { findThread } from './find-thread.js';
import { Records, type Shown } from './records.js';
import type { Terminal } from './terminal.js';

export interface ShowOptions extends Shown {
  /** Below which an id is looked for. */
  readonly directory: string;
  readonly from: number | undefined;
  readonly last: number | undefined;
}

/** `lastword show` */
export async function show(thread: string, { directory, from, last, ...shown }: ShowOptions, terminal: Terminal): Promise<Exit> {
  const records = new Records(await findThread(thread, directory), shown, terminal);
  if (last === undefined) for await (const record of records.read({ from })) await records.print(record);
  else for (const record of await records.last(last, from)) await records.print(record);
  records.warnOfDamage();
  return records.damaged > 0 ? EXIT.damaged : EXIT.done;
}
