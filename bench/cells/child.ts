/** One contender in a process of its own: child.js <name> <directory> <load as JSON>. Told by messages what to do, one at a time. */
import { CONTENDERS } from '../peers/all.js';
import { Unavailable } from '../peers/contender.js';
import { Entrant, type CellLoad } from './entrant.js';
import type { Answer, Request } from './rival.js';

const [name = '', directory = '', loadText = ''] = process.argv.slice(2);
const load = JSON.parse(loadText) as CellLoad;
let entrant: Entrant | undefined;

async function open(): Promise<null> {
  const contender = CONTENDERS.find((each) => each.name === name);
  if (contender === undefined) throw new Error(`nobody is called ${name}`);
  entrant = await Entrant.open(contender, directory, load);
  return null;
}

async function perform(request: Request): Promise<unknown> {
  if (request.what === 'open') return open();
  if (entrant === undefined) throw new Error('not open');
  switch (request.what) {
    case 'run': return entrant.run(request.items);
    case 'loop': return entrant.loop(request.ms);
    case 'latencies': return entrant.latencies(request.samples);
    case 'close': {
      await entrant.close();
      process.disconnect();
      return null;
    }
  }
}

function send(answer: Answer): void {
  if (process.connected) process.send?.(answer);
}

function failure(error: unknown): Answer {
  if (error instanceof Unavailable) return { unavailable: error.message };
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  // Out of a worker comes the message alone.
  const [refused] = /\bE[MN]FILE\b/.exec(text) ?? [];
  return refused === undefined ? { failed: text } : { unavailable: `cannot hold ${load.threads} descriptors (${refused})` };
}

process.on('message', (request: Request) => {
  perform(request).then((value) => { send({ value }); }, (error: unknown) => { send(failure(error)); });
});
// However the benchmark ends, nobody is left behind.
process.on('disconnect', () => { process.exit(); });
// A stream that cannot open its file says so where nobody can await it.
process.on('uncaughtException', (error) => {
  send(failure(error));
  process.exitCode = 1;
});
