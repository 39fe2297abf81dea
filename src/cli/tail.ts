import { EXIT, type Exit } from './failure.js';
import { findThread } from './find-thread.js';
import { Records, type Shown } from './records.js';
import type { Terminal } from './terminal.js';

export interface TailOptions extends Shown {
  readonly directory: string;
  readonly lines: number;
  readonly isFollowing: boolean;
}

/** `lastword tail`: the last records, and with -f those that are written meanwhile, until nobody has the thread open. */
export async function tail(thread: string, { directory, lines, isFollowing, ...shown }: TailOptions, terminal: Terminal): Promise<Exit> {
  const records = new Records(await findThread(thread, directory), shown, terminal);
  // One at least: it says where to go on.
  const last = await records.last(Math.max(lines, 1));
  for (const record of lines === 0 ? [] : last) await records.print(record);
  if (isFollowing) {
    // The file is read from its start again, and what is damaged is counted with that.
    records.damaged = 0;
    const from = (last.at(-1)?.ordinal ?? -1) + 1;
    for await (const record of records.read({ from, follow: true })) await records.print(record);
  }
  records.warnOfDamage();
  return records.damaged > 0 ? EXIT.damaged : EXIT.done;
}
