/**
 * A table of fifty questions, an agent for each row, and a table of answers. Killed at any moment and started again, it goes on where it
 * was: node dist/examples/csv-job.js [folder]
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSidecar, type LastwordError, type Sidecar } from 'lastword';
import { resumeJob, runJob, showProgress, type JobContext, type JobItem } from 'lastword/jobs';

interface Question extends Record<string, string> { name: string; question: string }
interface Answer { answer: string; words: number }

const folder = process.argv[2] ?? '.';
const [csvPath, outputCsvPath] = [join(folder, 'questions.csv'), join(folder, 'answers.csv')];
/** The job has an id of its own, so that the program finds it again. */
const idPath = join(folder, 'job-id');

/** The agent has a thread of its own, below the job. Its model is fake, and slow. */
async function runAgent(sidecar: Sidecar, { jobId, itemId, row, attempt }: JobItem<Question>, { signal }: JobContext<Answer>): Promise<Answer> {
  await using thread = await sidecar.createThread({ parentId: jobId, meta: { title: row.name, job_item_id: itemId, attempt } });
  thread.append({ type: 'event_msg', payload: { type: 'user_message', message: row.question } });
  await sleep(20, undefined, { signal });
  const answer = `${row.question.replace(/\?$/, '')}: nobody knows`;
  thread.append({ type: 'event_msg', payload: { type: 'agent_message', message: answer } });
  console.log(`${itemId}, attempt ${attempt}`);
  return { answer, words: answer.split(' ').length };
}

if (!existsSync(csvPath)) {
  const rows = Array.from({ length: 50 }, (_, n) => `question-${n + 1},"What is ""${n + 1}"", and why?"`);
  writeFileSync(csvPath, `name,question\n${rows.join('\n')}\n`);
}

await using sidecar = await openSidecar({ directory: join(folder, 'rollouts') });
const worker = (item: JobItem<Question>, context: JobContext<Answer>): Promise<Answer> => runAgent(sidecar, item, context);
const stored = existsSync(idPath) ? readFileSync(idPath, 'utf8') : undefined;
const resumed = stored === undefined ? undefined : await resumeJob<Question, Answer>(sidecar, stored, { worker }).catch((error: LastwordError) => {
  if (error.code !== 'LASTWORD_JOB_NOT_FOUND') throw error;
  return undefined;
});
const job = resumed ?? await runJob<Question, Answer>(sidecar, {
  rows: { csvPath }, idColumn: 'name', outputCsvPath, escapeFormulas: true, concurrency: 4, attempts: 2, worker,
});
writeFileSync(idPath, job.id);
await showProgress(job, process.stderr);
const { status, items } = await job.result;
console.log(`${status}: ${items.filter((item) => item.status === 'completed').length} of ${items.length}`);
