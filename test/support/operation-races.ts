/** Races of the operations on one thread: close, resume, archive, delete. */
import type { Thread } from 'lastword';
import type { Ledger } from './ledger.js';
import { numbered } from './sidecars.js';
import { outcomeOf } from './steps.js';

/** The list in every order. */
function permutations<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first, index) => permutations(list.toSpliced(index, 1)).map((rest) => [first, ...rest]));
}

/** What the handle of a race is in the end. */
const stateWord = ({ state }: Thread): string => state;

/** A resume in the same tick as what takes the thread away, in both orders. */
export async function resumeRaces(ledger: Ledger): Promise<void> {
  const { sidecar } = ledger;
  const open = async (): Promise<Thread> => {
    const thread = await ledger.create();
    ledger.append(thread, numbered(0));
    return thread;
  };
  const resumed = (id: string): Promise<Thread> => ledger.resume(id);

  const one = await open();
  const [, again] = await Promise.all([one.close(), resumed(one.id)]);
  ledger.note('behind a close', [again === one, again.state, again.origin, ledger.append(again, numbered(1))], [false, 'open', 'resumed', 2]);
  const [same, receipt] = await Promise.all([resumed(one.id), again.close()]);
  ledger.note('before a close', [same === again, same.state, receipt.items], [true, 'closed', 1]);

  for (const act of ['deleteThread', 'archiveThread'] as const) {
    const stored = await open();
    await stored.close();
    const [first, second] = await Promise.all([outcomeOf(resumed(stored.id), stateWord), outcomeOf(sidecar[act](stored.id), () => 'done')]);
    ledger.note(`before ${act}`, [first, second], ['open', 'LASTWORD_THREAD_BUSY']);
    await sidecar.liveThread(stored.id)?.close();
    const missing = act === 'deleteThread' ? 'LASTWORD_THREAD_NOT_FOUND' : 'LASTWORD_THREAD_ARCHIVED';
    const behind = await Promise.all([outcomeOf(sidecar[act](stored.id), () => 'done'), outcomeOf(resumed(stored.id), stateWord)]);
    ledger.note(`behind ${act}`, behind, ['done', missing]);
    if (act === 'deleteThread') ledger.deleted(stored.id);
  }
}

type Act = 'close' | 'resume' | 'deleteThread' | 'archiveThread';

/** What each must answer: a close begins at the call, the others run in the order of the calls, each when the one before is done. */
function answersOf(order: readonly Act[]): Map<Act, string> {
  const answers = new Map<Act, string>([['close', 'done']]);
  const acts = order.filter((act) => act !== 'close');
  let place: 'open' | 'stored' | 'archived' | 'deleted' = order[0] === 'close' ? 'stored' : 'open';
  for (const act of acts) {
    if (place === 'deleted') answers.set(act, 'LASTWORD_THREAD_NOT_FOUND');
    else if (act === 'resume') answers.set(act, place === 'archived' ? 'LASTWORD_THREAD_ARCHIVED' : 'done');
    else answers.set(act, place === 'open' ? 'LASTWORD_THREAD_BUSY' : 'done');
    if (answers.get(act) === 'done') place = ({ resume: 'open', deleteThread: 'deleted', archiveThread: 'archived' } as const)[act];
    // The first one runs at its call, and all others have been called before it is done.
    if (act === acts[0] && order[0] !== 'close' && place === 'open') place = 'stored';
  }
  return answers;
}

/** Closes, a resume, a delete and an archive at once, in every order. */
export async function fourAtOnce(ledger: Ledger): Promise<void> {
  const { sidecar } = ledger;
  for (const order of permutations<Act>(['close', 'resume', 'deleteThread', 'archiveThread'])) {
    const thread = await ledger.create();
    const { id } = thread;
    ledger.append(thread, numbered(0));
    const begin = { close: () => thread.close(), resume: () => ledger.resume(id), deleteThread: () => sidecar.deleteThread(id), archiveThread: () => sidecar.archiveThread(id) };
    const answers = await Promise.all(order.map(async (act) => [act, await outcomeOf<unknown>(begin[act](), () => 'done')] as const));
    ledger.note(order.join(', '), answers, order.map((act) => [act, answersOf(order).get(act)]));
    await sidecar.liveThread(id)?.close();
    if (new Map(answers).get('deleteThread') === 'done') ledger.deleted(id);
  }
}
