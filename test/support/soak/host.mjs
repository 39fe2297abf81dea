/**
 * A host of the soak, until its time is up or it is killed: host.mjs <plan as JSON> (`Plan` in `soak.ts`). Agents, each
 * with threads of its own, do at random what can be done to threads, while faults come and go. What they are at is told
 * over descriptor 3, a line each time: before what may be lost is done, and behind what must be kept.
 */
import fs from 'node:fs';
import { sep } from 'node:path';
import { randomFrom } from '../random-from.mjs';
import { Faults } from './faults.mjs';

const plan = JSON.parse(process.argv[2]);
const { directory, seed, ms, flavour, isClosed, threads: stored } = plan;
const { importSalvage, LATE, LastwordError, openSidecar } = await import(plan.lastwordUrl ?? 'lastword');

const AGENTS = 4;
const THREADS_MAX = 5;
const LARGE_BYTES = 400_000;
const WAIT_MS = 30_000;
/** What another one does to a file is noticed within a second. */
const NOTICE_MS = 10_000;
/** Never right, whatever the disk does. */
const WRONG = ['LASTWORD_ROLLOUT_CORRUPT', 'LASTWORD_INVALID_OPTION', 'LASTWORD_WRITER_EXITED', 'LASTWORD_THREAD_EXISTS', 'LASTWORD_THREAD_NOT_FOUND', 'LASTWORD_ITEM_INVALID', 'LASTWORD_ITEM_TOO_LARGE'];
/** Right also where nothing fails. */
const ROUTINE = ['LASTWORD_THREAD_REFERENCED', 'LASTWORD_TIMEOUT'];

const tell = (message) => { fs.writeSync(3, `${JSON.stringify(message)}\n`); };
const complain = (complaint) => { tell({ complaint }); };
const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });
const over = performance.now() + ms;
const isOver = () => performance.now() > over;

/** What may reject does so typed, and with what there is a cause for. Undefined where it did. */
async function tried(what, act) {
  try {
    return await act();
  } catch (error) {
    const isKnown = error instanceof LastwordError && !WRONG.includes(error.code) && (flavour.isFailing || ROUTINE.includes(error.code));
    if (!isKnown) complain(`${what}: ${error instanceof LastwordError ? error.code : ''} ${error?.stack}`);
    return undefined;
  }
}

class Agent {
  #next;
  /** Handles that are open, or were and could not be closed. */
  #open = [];
  #closed;
  /** Of threads that others refer to. */
  #bases = new Set(plan.bases);

  constructor(number) {
    this.#next = randomFrom(seed * AGENTS + number);
    this.#closed = stored.filter((_id, place) => place % AGENTS === number);
  }

  async run() {
    const names = Object.keys(OPERATIONS).flatMap((name) => Array.from({ length: OPERATIONS[name] }, () => name));
    while (!isOver()) {
      await this[names[this.#next(names.length)]]();
      for (const thread of this.#open) this.#tell(thread);
      if (this.#next(4) === 0) await pause(this.#next(20));
    }
  }

  #tell(thread, more = {}) {
    const { id, path, written, synced } = thread;
    tell({ id, path, written, synced, ...more });
  }

  #one() {
    return this.#open[this.#next(this.#open.length)];
  }

  #item(at, large = false) {
    const bytes = 1 + this.#next(large ? LARGE_BYTES : 600);
    return { type: 'event_msg', payload: { at, bytes, text: String.fromCharCode(97 + this.#next(26)).repeat(bytes) } };
  }

  #opened(thread) {
    if (thread === undefined) return;
    this.#open.push(thread);
    this.#tell(thread);
  }

  #taken(thread) {
    this.#open = this.#open.filter((one) => one !== thread);
  }

  async create() {
    if (this.#open.length >= THREADS_MAX) await this.close();
    else this.#opened(await tried('create', () => sidecar.createThread()));
  }

  async resume() {
    const id = this.#closed.shift();
    if (id === undefined) return;
    const thread = await tried('resume', () => sidecar.resumeThread(id));
    if (thread === undefined) this.#closed.push(id);
    else this.#opened(thread);
  }

  async append(large = false) {
    const thread = this.#one();
    for (let left = large ? 1 : 1 + this.#next(20); thread !== undefined && left > 0; left -= 1) {
      const at = thread.accepted;
      const ordinal = await tried('append', () => thread.append(this.#item(at, large)));
      if (ordinal !== undefined && ordinal !== at && ordinal !== LATE) complain(`append got the ordinal ${ordinal}, not ${at}`);
    }
  }

  large() {
    return this.append(true);
  }

  async appendAll() {
    const thread = this.#one();
    await tried('appendAll', () => thread?.appendAll(Array.from({ length: 1 + this.#next(30) }, (_, place) => this.#item(thread.accepted + place))));
  }

  async publish() {
    const thread = this.#one();
    await tried('publish', () => thread?.publish(this.#item(thread.accepted)));
  }

  async flush() {
    const durability = this.#next(2) === 0 ? 'synced' : 'written';
    const thread = this.#one();
    if (thread === undefined) return;
    const wanted = thread.accepted;
    const receipt = await tried('flush', () => thread.flush({ durability, timeoutMs: flavour.isFailing ? 500 : WAIT_MS }));
    if (receipt !== undefined && thread[durability] < wanted) complain(`flush to ${durability} resolved at ${thread[durability]} of ${wanted}`);
  }

  async rollback() {
    const thread = this.#one();
    if (thread !== undefined && thread.accepted > 1) await tried('rollback', () => thread.rollback(Math.max(1, thread.accepted - 1)));
  }

  async setMeta() {
    await tried('setMeta', () => this.#one()?.setMeta({ title: `title ${this.#next(100)}` }));
  }

  async fork() {
    const thread = this.#one();
    if (thread === undefined || this.#open.length >= THREADS_MAX) return;
    this.#bases.add(thread.id);
    tell({ id: thread.id, isBase: true });
    this.#opened(await tried('fork', () => sidecar.forkThread(thread.id)));
  }

  /** Where the disk is in trouble, in a while once more. */
  async close(thread = this.#one()) {
    if (thread === undefined) return;
    const items = thread.accepted;
    const receipt = await tried('close', () => thread.close({ timeoutMs: flavour.isFailing ? 1_500 : WAIT_MS }));
    if (receipt === undefined) return;
    if (receipt.nextOrdinal !== items) complain(`closed at ${receipt.nextOrdinal} of ${items}`);
    this.#tell(thread, { written: items });
    this.#taken(thread);
    this.#closed.push(thread.id);
  }

  /** What the disk does not take just now is salvaged, and put back. */
  async abandon() {
    const thread = this.#one();
    if (thread === undefined) return;
    const items = thread.accepted;
    const receipt = await tried('abandon', () => thread.close({ abandon: true, timeoutMs: 3_000 }));
    if (receipt === undefined) return;
    this.#taken(thread);
    if (receipt.salvage === undefined) {
      if (receipt.nextOrdinal !== items) complain(`abandoned at ${receipt.nextOrdinal} of ${items}, and nothing is salvaged`);
      this.#closed.push(thread.id);
    } else {
      // Whoever looks at the directory next puts it back.
      tell({ id: thread.id, salvage: receipt.salvage, salvaged: items });
    }
  }

  async archive() {
    const id = this.#closed[0];
    if (id === undefined) return;
    if (await tried('archive', () => sidecar.archiveThread(id).then(() => true)) !== true) return;
    // A failing disk leaves it archived.
    if (await tried('unarchive', () => sidecar.unarchiveThread(id).then(() => true)) !== true) this.#closed.shift();
  }

  async delete() {
    const id = this.#closed.shift();
    if (id === undefined) return;
    tell({ id, fate: 'in doubt' });
    const isDone = await tried('delete', () => sidecar.deleteThread(id).then(() => true)) === true;
    tell({ id, fate: isDone ? 'deleted' : flavour.isFailing ? 'in doubt' : 'there' });
    if (!isDone && !flavour.isFailing) this.#closed.push(id);
  }

  /** Somebody else removes, replaces or moves the file of a thread: it is noticed, and nothing is lost. */
  async interfere() {
    const thread = this.#one();
    if (thread === undefined || !flavour.hasOthers || this.#bases.has(thread.id)) return;
    const { path } = thread;
    if (await tried('flush', () => thread.flush({ timeoutMs: NOTICE_MS })) === undefined) return;
    const kind = this.#next(4);
    tell({ id: thread.id, isSpoiled: true });
    if (kind === 0) fs.unlinkSync(path);
    if (kind === 1) {
      fs.writeFileSync(`${path}.other`, 'what another one wrote\n');
      fs.renameSync(`${path}.other`, path);
    }
    if (kind === 2) {
      fs.renameSync(path, `${path}.moved`);
      await tried('append', () => thread.append(this.#item(thread.accepted)));
      await tried('flush', () => thread.flush({ timeoutMs: NOTICE_MS }));
      fs.renameSync(`${path}.moved`, path);
    }
    // What is cut off may be in no memory any more.
    if (kind === 3) fs.truncateSync(path, this.#next(fs.statSync(path).size));
    // Late: its failure has come already, and the flush may come before it is told.
    const isTaken = await tried('append', () => thread.append(this.#item(thread.accepted))) !== LATE;
    const wanted = thread.accepted;
    const isWell = await thread.flush({ timeoutMs: NOTICE_MS }).then(() => isTaken, () => false);
    if (isWell) this.#tell(thread, { isSpoiled: false, written: wanted });
    else if (kind !== 3 && !flavour.isFailing) complain(`the thread is ${thread.state} after interference ${kind}`);
    else await this.giveUp(thread);
  }

  async giveUp(thread) {
    await thread.close({ abandon: true, timeoutMs: 3_000 }).catch(() => undefined);
    this.#taken(thread);
  }

  /** Nothing fails any more: all of it is written. */
  async finish() {
    for (const thread of [...this.#open]) {
      if (thread.state === 'failed') complain(`thread ${thread.id} has failed`);
      const items = thread.accepted;
      const receipt = await thread.close({ timeoutMs: WAIT_MS }).catch((error) => { complain(`the last close of thread ${thread.id}, ${thread.state}: ${error.stack}`); });
      if (receipt !== undefined) this.#tell(thread, { written: items });
    }
  }
}

/** How often each is done, of all together. */
const OPERATIONS = {
  create: 3, resume: 3, append: 20, large: 2, appendAll: 6, publish: 6, flush: 10, rollback: 1, setMeta: 1, fork: 1, close: 3, abandon: 1, archive: 1, delete: 3, interfere: 1,
};

const faults = new Faults(plan, randomFrom(~seed));
const sidecar = await openSidecar({ ...plan.options, directory, logger: false, writerUrl: faults.writerUrl });
tell({ isReady: true });
const agents = Array.from({ length: AGENTS }, (_, number) => new Agent(number));
await Promise.all([...agents.map((agent) => agent.run()), faults.run(isOver, pause)]);
const { writerRestarts: restarts } = sidecar.stats();
tell({ figures: { restarts, rss: process.memoryUsage().rss } });
if (!isClosed) setInterval(() => undefined, 60_000);
else {
  faults.heal();
  for (const agent of agents) await agent.finish();
  await sidecar.close({ timeoutMs: WAIT_MS }).catch((error) => { complain(`the close of the sidecar: ${error.stack}`); });
  const open = fs.readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${name}`)];
    } catch {
      return [];   // the one that the folder itself was read with
    }
  });
  const left = open.filter((path) => path.startsWith(directory + sep));
  if (left.length > 0) complain(`descriptors are left, and ${restarts} writers died: ${left.join()}`);
  tell({ isClosed: true });
}
