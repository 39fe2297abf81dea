/** What is packed, in an empty project: that it is found, loads, runs and is typed, in every way a host may load it. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData, type Analysis } from '@arethetypeswrong/core';
import { build, type BuildOptions } from 'esbuild';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAMS } from '../support/documents.js';
import { Project } from '../support/installed.js';
import { RECORDED, RECORDING_HOST } from '../support/recording-host.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let project: Project;
beforeAll(async () => { project = await Project.create(); });
afterAll(() => { project.remove(); });

describe('the package', () => {
  test('runs nothing when it is installed, and neither does what it needs', () => {
    const modules = join(project.folder, 'node_modules');
    const packages = readdirSync(modules).flatMap((name) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => join(name, inner)) : [name])).filter((name) => !name.startsWith('.'));
    const scripts = packages.flatMap((name) => {
      const { scripts: own = {} } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as { scripts?: Record<string, string> };
      return ['preinstall', 'install', 'postinstall'].filter((script) => own[script] !== undefined).map((script) => `${name}: ${script}`);
    });
    // msgpackr's own copy of its extension looks for a compiled one that npm has brought, and compiles nothing where it finds it.
    expect(scripts.filter((script) => !script.startsWith('msgpackr-extract'))).toEqual([]);
  });

  test('holds what it names, in the form that its users read', async () => {
    expect((await publint({ pkgDir: ROOT, pack: false })).messages).toEqual([]);
    const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(project.tarball))) as Analysis;
    // Node's oldest way to resolve knows no exports; a file in CommonJS may require() this since Node 20.19, and TypeScript says it only may import().
    const kinds = problems.filter((problem) => !('resolutionKind' in problem) || !['node10', 'node16-cjs'].includes(problem.resolutionKind)).map(({ kind }) => kind);
    expect(kinds).toEqual([]);
    const listed = readdirSync(join(project.folder, 'node_modules', 'lastword')).sort();
    expect(listed).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json']);
  });

  test('records for a host in JavaScript, imported or required', async () => {
    project.write('host.mjs', RECORDING_HOST);
    expect(await project.run('node', ['host.mjs', 'imported'])).toEqual(RECORDED);
    project.write('host.cjs', `const { openSidecar } = require('lastword');
      openSidecar({ directory: 'required' }).then(async (sidecar) => { await sidecar.close(); console.log(sidecar.state); });`);
    expect((await project.run('node', ['host.cjs'])).stdout).toBe('closed\n');
  });

  test('has the command line that it names', async () => {
    project.write('agent.mjs', RECORDING_HOST);
    await project.run('node', ['agent.mjs', 'agents']);
    const { stdout } = await project.run('npm', ['exec', '--offline', '--', 'lastword', 'verify', 'agents']);
    expect(stdout).toMatch(/^1 rollout, 101 records, .*: all whole\n$/);
  });

  test.each([['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext], ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler]])(
    'is typed for a host in TypeScript that resolves modules as %s', (_name, module, moduleResolution) => {
      const names = ['record', 'closing', 'reading', 'csv-job', 'multi-agent-host'];
      for (const name of names) project.copy(join(ROOT, 'examples', `${name}.ts`), `typed/${name}.ts`);
      for (const { name, source } of PROGRAMS) project.write(`typed/${name}.ts`, source);
      const program = ts.createProgram([...names, ...PROGRAMS.map(({ name }) => name)].map((name) => join(realpathSync(project.folder), 'typed', `${name}.ts`)), {
        module, moduleResolution, target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'], strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: false,
        types: ['node'], typeRoots: [join(ROOT, 'node_modules', '@types')],
      });
      const said = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
      expect(said).toEqual([]);
    });

  test('is as large, and needs as many packages, as the README says', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, kilobytes, count] = /packed, (\d+) kB; installed with all it needs, (\d+) packages/.exec(readme) ?? [];
    const lock = JSON.parse(readFileSync(join(project.folder, 'package-lock.json'), 'utf8')) as { packages: Record<string, { optional?: boolean }> };
    const needed = Object.entries(lock.packages).filter(([path, { optional }]) => path !== '' && optional !== true);
    expect(Number(count)).toBe(needed.length);
    expect(project.packedBytes / 1000 / Number(kilobytes)).toBeGreaterThan(0.9);
    expect(project.packedBytes / 1000 / Number(kilobytes)).toBeLessThan(1.1);
  });
});

describe('bundled by esbuild, a host', () => {
  // What esbuild's own documentation tells of packages in CommonJS.
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  const bundled = async (entry: string, out: string, more: BuildOptions = {}): Promise<void> => {
    const outfile = join(project.folder, out);
    await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', banner, logLevel: 'silent', ...more });
    expect(statSync(outfile).size).toBeGreaterThan(0);
  };

  test('starts its writer by itself where the package is installed', async () => {
    await bundled(project.write('bundle/host.mjs', RECORDING_HOST), 'out/host.mjs');
    expect(await project.run('node', ['out/host.mjs', 'bundled'])).toEqual(RECORDED);
  });

  test('starts a writer that is bundled too, and is named by writerUrl, where no package is installed', async () => {
    const alone = Project.empty();
    try {
      const worker = join(project.folder, 'node_modules', 'lastword', 'dist', 'worker');
      await bundled(project.write('bundle/host.mjs', RECORDING_HOST), 'alone/host.mjs');
      await bundled(join(worker, 'main.js'), 'alone/writer/main.mjs');
      alone.copy(join(project.folder, 'alone'), '.');
      alone.copy(join(worker, 'transcode', 'transcoder.wasm'), 'writer/transcode/transcoder.wasm');
      expect(await alone.run('node', ['host.mjs', 'rollouts', './writer/main.mjs'])).toEqual(RECORDED);
      // Without it, the error says what to do.
      await expect(alone.run('node', ['host.mjs', 'rollouts'])).rejects.toMatchObject({ stderr: expect.stringMatching(/names them with writerUrl/) as unknown });
    } finally {
      alone.remove();
    }
  });
});
