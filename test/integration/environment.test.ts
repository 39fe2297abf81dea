/** What runs in the writer and in the threads for files: nothing of the host's. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { temporaryFolder } from '../support/sidecars.js';

const SHIPPED = new URL('../../dist/src/index.js', import.meta.url).href;

/** A host with code that is loaded before its own, in the ways that there are: where that code ran, thread by thread. */
function ranIn(way: 'NODE_OPTIONS' | 'flags', patches: readonly Patch[] = []): string[] {
  const folder = temporaryFolder();
  const trace = join(folder, 'trace');
  const preload = (name: string, load: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `${load};
      // A host's program may do anything to what everybody shares, and see what the environment holds.
      fs.appendFileSync(${JSON.stringify(trace)}, \`\${isMainThread ? 'main' : 'worker'} \${process.env.SECRET ?? 'no secret'}\\n\`);`);
    return path;
  };
  const flags = [
    '--require', preload('required.cjs', 'const fs = require("node:fs"); const { isMainThread } = require("node:worker_threads")'),
    '--import', preload('imported.mjs', 'import fs from "node:fs"; import { isMainThread } from "node:worker_threads"'),
  ];
  const url = patches.length === 0 ? SHIPPED : mutantPackage(...patches).lastwordUrl;
  const program = `import { openSidecar, verifyRollouts } from ${JSON.stringify(url)};
    const sidecar = await openSidecar({ directory: ${JSON.stringify(join(folder, 'home'))}, logger: false });
    const thread = await sidecar.createThread();
    thread.append({ type: 'x' });
    await thread.close();
    await sidecar.listThreads({ sort: 'updated' });
    await verifyRollouts(sidecar.directory);
    await sidecar.close();
    process.stdout.write('done');`;
  const host = join(folder, 'host.mjs');
  writeFileSync(host, program);
  const { stdout, stderr } = spawnSync(process.execPath, [...(way === 'flags' ? flags : []), host], {
    encoding: 'utf8', env: { ...process.env, SECRET: 'sk-environment', ...(way === 'NODE_OPTIONS' ? { NODE_OPTIONS: flags.join(' ') } : {}) },
  });
  expect(stdout, stderr).toBe('done');
  return existsSync(trace) ? readFileSync(trace, 'utf8').trim().split('\n') : [];
}

describe('code that a host has loaded before its own', () => {
  const ONCE_EACH = ['main sk-environment', 'main sk-environment'];

  test.each(['NODE_OPTIONS', 'flags'] as const)('by %s runs in the host\'s thread, and in none of the library\'s', (way) => {
    expect(ranIn(way)).toEqual(ONCE_EACH);
  });

  test.each([
    ['NODE_OPTIONS', 'a writer with the host\'s environment', { file: 'src/control/writer-handle.js', find: 'execArgv: [], env: {}', replace: 'execArgv: []' }],
    ['flags', 'a writer with the host\'s flags', { file: 'src/control/writer-handle.js', find: 'execArgv: [], env: {}', replace: 'env: {}' }],
    ['flags', 'threads for files with the host\'s flags', { file: 'src/pool/file-pool.js', find: 'execArgv: [], env: {}', replace: 'env: {}' }],
  ] as const)('the control: by %s, the same finds %s', (way, _what, patch) => {
    expect(ranIn(way, [patch]).filter((line) => line.startsWith('worker')).length).toBeGreaterThan(0);
  });
});
