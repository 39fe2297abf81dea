/** A host of one job, to be killed: host.mjs <lastwordUrl> <directory> <id> <items> <seed>. Says `start <row>` on stdout as a worker begins. */
import { writeSync } from 'node:fs';
import { randomFrom } from '../random-from.mjs';

const [lastwordUrl, directory, id, items, seed] = process.argv.slice(2);
const { openSidecar } = await import(lastwordUrl);
const { runJob, resumeJob } = await import(lastwordUrl === 'lastword' ? 'lastword/jobs' : lastwordUrl.replace('index.js', 'jobs/index.js'));
const next = randomFrom(Number(seed));
const turn = () => new Promise((resolve) => { setImmediate(resolve); });

const worker = async ({ row }, { report }) => {
  writeSync(1, `start ${row.n}\n`);
  for (let turns = next(30); turns > 0; turns -= 1) await turn();
  if (next(2) === 0) return row.n;
  report(row.n);
  return undefined;
};

const sidecar = await openSidecar({ directory, logger: false });
const rows = Array.from({ length: Number(items) }, (_, n) => ({ n, text: `row ${n}` }));
const job = await resumeJob(sidecar, id, { worker }).catch((error) => {
  if (error.code !== 'LASTWORD_JOB_NOT_FOUND') throw error;
  return runJob(sidecar, { id, rows, worker, concurrency: 8 });
});
writeSync(1, 'ready\n');
await job.result;
await sidecar.close();
writeSync(1, 'end\n');
