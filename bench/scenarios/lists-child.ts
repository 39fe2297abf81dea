/** Lists in a process of its own: lists-child.js <directory> newest|catalogue. Prints milliseconds: the first list, then the following ones. */
import { openSidecar, type ListOptions } from 'lastword';

const FURTHER = 15;
const [directory = '', what = ''] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, logger: false });

async function timesOf(options: ListOptions, count: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < count) {
    const begin = performance.now();
    const { threads, damaged } = await sidecar.listThreads(options);
    times.push(performance.now() - begin);
    if (threads.length !== 50 || damaged.length > 0) throw new Error(`a page of ${threads.length} threads and ${damaged.length} damaged files`);
  }
  return times;
}

const [first, ...further] = await timesOf(what === 'newest' ? {} : { sort: 'updated' }, 1 + FURTHER);
const filtered = what === 'newest' ? [] : await timesOf({ cwd: '/work/7' }, FURTHER);
await sidecar.close();
process.stdout.write(JSON.stringify({ first, further, filtered }));
