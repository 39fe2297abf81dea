// Compiles the transcoder to WebAssembly and the TypeScript to dist/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

function run(bin, args) {
  const { status, error } = spawnSync(process.execPath, [bin, ...args], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(`${root}dist`, { recursive: true, force: true });
mkdirSync(`${root}dist/worker/transcode`, { recursive: true });
run(`${root}node_modules/assemblyscript/bin/asc.js`, ['worker/transcode/assembly/index.ts', '--config', 'worker/transcode/asconfig.json']);
run(require.resolve('typescript/bin/tsc'), ['-p', 'tsconfig.build.json']);
