/** The steps of a close, in one order: those of the writer and those that a host sees are told to one file. */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { LATE, type Sidecar, type Thread } from 'lastword';
import { openDescriptors } from './closing-load.js';
import { openRecorded } from './ledger.js';
import { mutantPackage, type Patch } from './mutants.js';
import { linesOf, numbered, temporaryFolder } from './sidecars.js';
import { turn } from './steps.js';

/** What belongs to the agent comes first, then what the writer does, then what everybody sees. */
export const AGENT_STEPS = ['signal aborts', 'tracked work settles, taken', 'hold ends'] as const;
export const WRITER_STEPS = ['sealed, drain begins', 'acknowledged, 2 written', 'synced', 'file closed', 'lease released'] as const;
export const HOST_STEPS = ['out of the registry', 'threadClosed, nothing left', 'close resolves'] as const;

/** A writer that says what it does. */
function tellingWriter(path: string): Patch[] {
  const patch = (find: string, replace: string): Patch => ({ file: 'worker/control.js', find, replace });
  const behind = (find: string, step: string): Patch => patch(find, `{ ${find} tell(file.threadId, '${step}'); }`);
  const open = 'const file = this.#rolloutOf(command);';
  const reply = 'return { written: file.written, salvage: undefined };';
  const node = "import { dirname } from 'node:path';";
  return [
    patch(node, `${node}\nimport { appendFileSync } from 'node:fs';\nimport { sealWordOf } from '../src/ring/slots.js';\nconst tell = (id, step) => { appendFileSync(${JSON.stringify(path)}, id + ' ' + step + '\\n'); };`),
    patch(open, `${open} tell(file.threadId, (sealWordOf(this.#parts.sidecar, command.slot) < 0 ? 'sealed' : 'not sealed') + ', drain begins');`),
    patch(reply, `tell(file.threadId, 'acknowledged, ' + file.written + ' written'); ${reply}`),
    behind('await syncs.syncNow(file, command.abandon);', 'synced'),
    behind('files.close(file);', 'file closed'),
    behind('leases.release(file.threadId);', 'lease released'),
  ];
}

/** What a thread still has: a lease, a descriptor, records that are not synced, a handle in the registry. */
function leftOf(sidecar: Sidecar, { id, accepted, synced }: Thread): string[] {
  return [
    ...(existsSync(join(sidecar.directory, 'locks', `${id}.lock`)) ? ['its lease'] : []),
    ...((openDescriptors() ?? []).some((name) => name.includes(id)) ? ['its descriptor'] : []),
    ...(synced === accepted ? [] : ['unsynced records']),
    ...(sidecar.liveThread(id) === undefined ? [] : ['its place in the registry']),
  ];
}

/** Closes a line of threads, each the child of the one before it, whose agents stop when their signal says so. Each line: `<name>: <step>`. */
export async function closeTrace(names: readonly string[], ...patches: Patch[]): Promise<string[]> {
  const path = join(temporaryFolder(), 'trace');
  const { sidecar } = await openRecorded({}, mutantPackage(...tellingWriter(path), ...patches).lastwordUrl);
  const threads: Thread[] = [];
  while (threads.length < names.length) threads.push(await sidecar.createThread({ parentId: threads.at(-1)?.id }));
  const gone = new Set<Thread>();
  /** At each step: whoever has left the registry is told of before it. */
  const tell = ({ id }: Thread, step: string): void => {
    look();
    appendFileSync(path, `${id} ${step}\n`);
  };
  const look = (): void => {
    for (const thread of threads) {
      if (gone.has(thread) || sidecar.liveThread(thread.id) !== undefined) continue;
      gone.add(thread);
      tell(thread, 'out of the registry');
    }
  };
  sidecar.on('threadClosed', ({ threadId }) => {
    const thread = threads.find(({ id }) => id === threadId);
    if (thread !== undefined) tell(thread, `threadClosed, ${leftOf(sidecar, thread).join(', ') || 'nothing'} left`);
  });
  for (const thread of threads) work(thread, tell);
  let isClosed = false;
  void threads[0]?.close({ durability: 'synced' });
  look();
  const closed = Promise.all(threads.map((thread) => thread.close().then(() => { tell(thread, 'close resolves'); }))).finally(() => { isClosed = true; });
  while (!isClosed) {
    look();
    await turn();
  }
  await closed;
  await sidecar.close();
  const nameOf = new Map(threads.map(({ id }, index) => [id, names[index]]));
  return linesOf(path).map((line) => `${nameOf.get(line.slice(0, 36)) ?? 'nobody'}: ${line.slice(37)}`);
}

/** An agent with a last word, and a tool that ends after it. */
function work(thread: Thread, tell: (thread: Thread, step: string) => void): void {
  thread.append(numbered(0));
  const hold = thread.hold('a tool');
  const aborted = new Promise<void>((resolve) => {
    thread.signal.addEventListener('abort', () => { tell(thread, 'signal aborts'); resolve(); });
  });
  const agent = async (): Promise<void> => {
    await aborted;
    await turn();
    tell(thread, `tracked work settles, ${thread.append(numbered(1)) === LATE ? 'late' : 'taken'}`);
  };
  void thread.track(agent()).then(turn).then(() => { tell(thread, 'hold ends'); hold[Symbol.dispose](); });
}
