import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { isHeld } from '../reader/lease-holder.js';
import { verifyRollout, verifyRollouts } from '../reader/verify.js';
import type { Damage, VerifyReport } from '../types.js';
import { EXIT, type Exit } from './failure.js';
import { assertRollout, kindOf, rootOf } from './find-thread.js';
import type { Terminal } from './terminal.js';
import { counted, printable, sizeOf } from './text.js';

/** Told of one file. */
const DAMAGE_MAX = 10;

/** `lastword verify`: a directory, or one rollout. */
export async function verify(path: string, { isJson }: { readonly isJson: boolean }, terminal: Terminal): Promise<Exit> {
  const reports = await kindOf(path) === 'other' ? [await verifyOne(resolve(path))] : await verifyAll(await rootOf(path), terminal);
  let bad = 0;
  for (const report of reports) {
    const isBad = report.unread !== undefined || await isDamaged(report);
    if (isBad) bad += 1;
    if (isJson) await terminal.json(report);
    else if (isBad) for (const line of linesOf(report, terminal)) await terminal.line(line);
  }
  if (!isJson) await terminal.line(summaryOf(reports, bad));
  return bad > 0 ? EXIT.damaged : EXIT.done;
}

async function verifyOne(path: string): Promise<VerifyReport> {
  const report = await verifyRollout(path);
  if (report.records === 0) await assertRollout(path);
  return report;
}

async function verifyAll(directory: string, { signal }: Terminal): Promise<VerifyReport[]> {
  // Nothing is drawn where stderr is no terminal. Signals are handled here, not by the bar.
  const bar = new SingleBar({ stream: process.stderr, format: 'verifying {bar} {value}/{total}', clearOnComplete: true, gracefulExit: false });
  try {
    return await verifyRollouts(directory, {
      signal,
      onProgress: (done, total) => {
        if (done === 1) bar.start(total, done);
        else bar.update(done);
      },
    });
  } finally {
    bar.stop();
  }
}

/** A torn end is none while somebody has the thread open: it may be a write that is under way. */
async function isDamaged({ path, damage }: VerifyReport): Promise<boolean> {
  const [first] = damage;
  return first !== undefined && (first.kind !== 'torn' || !await isHeld(path));
}

function linesOf({ path, records, damage, unread }: VerifyReport, terminal: Terminal): string[] {
  if (unread !== undefined) return [`${terminal.style('red', 'unread')}  ${printable(path)}: ${unread}`];
  const rest = damage.length > DAMAGE_MAX ? [`    and ${damage.length - DAMAGE_MAX} more: --json has all`] : [];
  return [`${terminal.style('red', 'damaged')}  ${printable(path)}: ${counted(records, 'whole record')}`, ...damage.slice(0, DAMAGE_MAX).map((one) => `    ${wordsOf(one)}`), ...rest];
}

function wordsOf({ kind, offset, bytes, ordinal }: Damage): string {
  return `${kind} at byte ${offset}, ${counted(bytes, 'byte')}${ordinal === undefined ? '' : `, ordinal ${ordinal}`}`;
}

function summaryOf(reports: readonly VerifyReport[], bad: number): string {
  const sum = (of: (report: VerifyReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const records = sum((report) => report.records);
  return `${counted(reports.length, 'rollout')}, ${counted(records, 'record')}, ${sum((report) => report.checked)} of them with a checksum, ${sizeOf(sum((report) => report.bytes))}: ${bad === 0 ? 'all whole' : `${bad} damaged`}`;
}
