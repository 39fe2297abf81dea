/**
 * A host of several agents: a root agent spawns sub-agents, closes one that it no longer needs while it is talking, asks
 * another one again, lets a third try a different answer, and ends them all at once. The model is fake, and slow.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LATE, openSidecar, type RolloutItem, type Sidecar, type Thread } from 'lastword';

const event = (type: string, members: object = {}): RolloutItem => ({ type: 'event_msg', payload: { type, ...members } });
const message = (role: string, text: string): RolloutItem => ({ type: 'response_item', payload: { type: 'message', role, content: [{ type: 'output_text', text }] } });

/** Answers word by word, until it is told to stop. */
async function* askModel(question: string, signal: AbortSignal): AsyncGenerator<string> {
  for (const word of `Thinking about ${question} takes a while, but here it is.`.split(' ')) {
    await sleep(20, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    yield word;
  }
}

/** One turn of an agent. It has a last word, also when its thread is being closed. */
async function runTurn(thread: Thread, question: string): Promise<void> {
  thread.append(event('task_started'));
  thread.append(message('user', question));
  const words: string[] = [];
  for await (const word of askModel(question, thread.signal)) {
    words.push(word);
    thread.append(event('agent_message_delta', { delta: word }));
  }
  thread.append(message('assistant', words.join(' ')));
  // Whoever listens hears of the end once it is on disk.
  await thread.publish(event(thread.signal.aborted ? 'turn_aborted' : 'task_complete'), { durability: 'written' });
}

const names = new Map<string, string>();

interface Agent { readonly thread: Thread; readonly turn: Promise<void> }

async function spawn(sidecar: Sidecar, parent: Thread, name: string, question: string): Promise<Agent> {
  const thread = await sidecar.createThread({ parentId: parent.id, meta: { title: name, cwd: process.cwd() } });
  names.set(thread.id, name);
  thread.subscribe((item) => { console.log(`${name}: ${(item.payload as { type: string }).type}`); });
  // Tracked: a close waits for it.
  return { thread, turn: thread.track(runTurn(thread, question)) };
}

const sidecar = await openSidecar({ directory: 'rollouts' });
sidecar.on('threadClosed', ({ threadId, items, forced }) => { console.log(`${names.get(threadId) ?? threadId}: closed, ${items} items on disk${forced ? ', forced' : ''}`); });

const root = await sidecar.createThread({ meta: { title: 'root', cwd: process.cwd() } });
names.set(root.id, 'root');
const reader = await spawn(sidecar, root, 'reader', 'what the code does');
const critic = await spawn(sidecar, root, 'critic', 'what is wrong with it');
const writer = await spawn(sidecar, root, 'writer', 'how to say it');
root.append(event('agents_spawned', { agents: [reader.thread.id, critic.thread.id, writer.thread.id] }));

// Not needed any more. It stops, has its last word, and what comes later is counted and is no error.
await sleep(60);
await writer.thread.close();
console.log(`writer: what its tool says now is ${writer.thread.append(event('tool_output')) === LATE ? 'late' : 'kept'}`);

await Promise.all([reader.turn, critic.turn]);
await reader.thread.close();

// Another question to the same agent, in the same file.
const again = await sidecar.resumeThread(reader.thread.id);
console.log(`reader: resumed at ordinal ${again.accepted}`);
await runTurn(again, 'what it does when the disk is full');

// The critic's history up to its question, and another answer from there: no record is copied.
const other = await sidecar.forkThread(critic.thread.id, { through: 2, parentId: root.id, meta: { title: 'another critic' } });
names.set(other.id, 'another critic');
console.log(`another critic: forked, goes on at ordinal ${other.accepted}`);
void other.track(runTurn(other, 'what is right with it'));

// Told to stop on Ctrl-C too: closing the root closes its descendants first, each with its last word.
process.once('SIGINT', () => { void root.close(); });
await sleep(40);
await root.close();

const { threads, items, late } = await sidecar.close();
console.log(`all: ${threads} threads closed, ${items} items on disk, ${late} late`);

// From any process, also while others write.
await using reading = await openSidecar({ directory: 'rollouts' });
for await (const { ordinal, type, payload } of reading.readThread(other.id)) {
  if (type === 'response_item') console.log(`${ordinal}: ${(payload as { content: { text: string }[] }).content.map(({ text }) => text).join('')}`);
}
