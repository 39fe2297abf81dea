/** Hosts that Vite and webpack have bundled, in a project where the package is installed. esbuild is in the test command. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Project } from '../support/installed.js';
import { RECORDED, RECORDING_HOST } from '../support/recording-host.js';

const BUNDLERS = ['vite@8', 'webpack@5', 'webpack-cli@7'];

let project: Project;
beforeAll(async () => {
  project = await Project.create();
  await project.run('npm', ['install', '--no-audit', '--no-fund', ...BUNDLERS]);
  project.write('src/host.js', RECORDING_HOST);
});
afterAll(() => { project.remove(); });

test('a host that Vite has built for a server starts its writer, with the package in the bundle and beside it', async () => {
  for (const noExternal of [false, true]) {
    const outDir = `vite-${noExternal}`;
    project.write('vite.config.js', `export default { build: { ssr: 'src/host.js', outDir: '${outDir}' }, ssr: { noExternal: ${noExternal ? "['lastword']" : '[]'} } };`);
    await project.run('node', ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error']);
    expect(await project.run('node', [`${outDir}/host.js`, `rollouts-${outDir}`])).toEqual(RECORDED);
  }
});

test('a host that webpack has bundled starts its writer, with the package in the bundle and beside it', async () => {
  for (const externals of ['[]', "[({ request }, done) => (request === 'lastword' ? done(null, 'module lastword') : done())]"]) {
    const out = externals === '[]' ? 'webpack-inside' : 'webpack-beside';
    project.write('webpack.config.js', `export default {
      mode: 'production', target: 'node20', entry: './src/host.js', externals: ${externals}, experiments: { outputModule: true },
      output: { path: new URL('${out}', import.meta.url).pathname, filename: 'host.mjs', module: true, chunkFormat: 'module' },
    };`);
    await project.run('node', ['node_modules/webpack-cli/bin/cli.js']);
    expect(await project.run('node', [`${out}/host.mjs`, `rollouts-${out}`])).toEqual(RECORDED);
  }
});
