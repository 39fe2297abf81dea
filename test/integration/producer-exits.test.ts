/** P5: a process that ends by an exception while other JavaScript threads append. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { verifyRollouts } from 'lastword';
import { describe, expect, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { itemsOf, numbered, temporaryFolder, upTo } from '../support/sidecars.js';
import { within } from '../support/steps.js';

const HOST = fileURLToPath(new URL('../support/producers/failing-host.mjs', import.meta.url));
/** Something waits in every ring, whatever the machine. */
const SLOW: Patch = { file: 'worker/writer-loop.js', find: 'const frames = writer.pass();', replace: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);\n            const frames = writer.pass();' };

interface Told { readonly path: string; readonly state: string; readonly accepted: number; readonly written: number; readonly returned: number; readonly thrown: number }

/** What the host told, and what is not as it should be. */
async function failingHost(survives: boolean, ...patches: Patch[]): Promise<{ code: number; complaints: string[] }> {
  const directory = temporaryFolder();
  const { lastwordUrl, writerUrl } = mutantPackage(SLOW, ...patches);
  const ended = new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [HOST, directory, lastwordUrl, writerUrl, survives ? 'survives' : 'dies'], { timeout: 50_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
  const { code, stdout, stderr } = await within(ended, 'the end of the host', 60_000);
  const told = JSON.parse(stdout) as Told[];
  const complaints = told.length === 6 ? [] : [`${told.length} threads`];
  if (stderr.includes('"lastword"')) complaints.push(stderr);
  for (const [index, { path, state, accepted, written, returned, thrown }] of told.entries()) {
    const items = await itemsOf(path);
    if (survives && state !== 'open') complaints.push(`thread ${index} is ${state}`);
    if (written < thrown || items.length + 1 < thrown) complaints.push(`thread ${index}: ${thrown} when it was thrown, ${written} written behind it`);
    if (items.length < returned || (!survives && items.length + 1 !== accepted)) complaints.push(`thread ${index}: ${returned} returned, ${accepted} accepted, ${items.length} on disk`);
    if (JSON.stringify(items) !== JSON.stringify(upTo(items.length).map(numbered))) complaints.push(`thread ${index}: others than were appended`);
  }
  const damaged = (await verifyRollouts(directory)).filter(({ end, damage }) => end !== 'clean' || damage.length > 0);
  if (damaged.length > 0) complaints.push(JSON.stringify(damaged));
  return { code, complaints };
}

describe('P5: an exception that nobody catches, in the sidecar\'s own thread while producers append', () => {
  test('has everything on disk that any of them was told is accepted', async () => {
    expect(await failingHost(false)).toEqual({ code: 1, complaints: [] });
  });

  test('that the host survives has on disk what was accepted when it was thrown, and seals nothing', async () => {
    expect(await failingHost(true)).toEqual({ code: 0, complaints: [] });
  });

  test('P5, the control: the same check hears of a package that does not hear of the end', async () => {
    const { complaints } = await failingHost(false, { file: 'src/exit/process-end.js', find: 'listeners.add(listener);', replace: '' });
    expect(complaints).not.toEqual([]);
  });
});
