/** The package as a stranger has it: packed, and installed in an empty project, with a PATH that holds node, npm and what a shell needs. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** All that PATH holds. Of npm's package, beside node, wherever that is; and of every shell. */
const ON_PATH = { npm: ['npm', 'npx'], shell: ['sh', 'mkdir', 'cp'] } as const;
const BOUND_MS = 120_000;

export interface Ran { readonly stdout: string; readonly stderr: string }

export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'lastword-project-'));
  /** What was packed, and its bytes. */
  tarball = '';
  packedBytes = 0;
  readonly #path: string;

  private constructor() {
    this.#path = join(this.folder, '.path');
    mkdirSync(this.#path);
    symlinkSync(process.execPath, join(this.#path, 'node'));
    for (const name of ON_PATH.npm) symlinkSync(join(dirname(process.execPath), name), join(this.#path, name));
    for (const name of ON_PATH.shell) symlinkSync(onPath(name), join(this.#path, name));
  }

  /** With nothing in it. */
  static empty(): Project {
    return new Project();
  }

  /** With the package installed from its tarball, and nothing else. */
  static async create(): Promise<Project> {
    const project = new Project();
    const packed = await project.run('npm', ['pack', ROOT, '--ignore-scripts', '--json', '--pack-destination', project.folder]);
    const [{ filename = '', size = 0 } = {}] = JSON.parse(packed.stdout) as { filename: string; size: number }[];
    project.tarball = join(project.folder, filename);
    project.packedBytes = size;
    project.write('package.json', '{ "name": "host", "version": "1.0.0", "type": "module" }');
    await project.run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', project.tarball]);
    return project;
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  copy(from: string, to: string): void {
    cpSync(from, join(this.folder, to), { recursive: true });
  }

  run(program: 'node' | 'npm' | 'sh', args: readonly string[], folder = this.folder): Promise<Ran> {
    const env = { PATH: this.#path, HOME: process.env['HOME'] ?? '/', npm_config_update_notifier: 'false', npm_config_loglevel: 'error' };
    return promisify(execFile)(join(this.#path, program), args, { cwd: folder, env, timeout: BOUND_MS });
  }

  /** A command as a document prints it. */
  shell(command: string): Promise<Ran> {
    return this.run('sh', ['-c', command]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function onPath(name: string): string {
  const path = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)).find((one) => existsSync(one));
  if (path === undefined) throw new Error(`there is no ${name} in PATH`);
  return path;
}
