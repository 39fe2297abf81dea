/** The package as a stranger has it: packed, and installed in an empty project, with a PATH that holds node and npm alone. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Beside node, wherever that is. */
const NPM = join(dirname(process.execPath), 'npm');
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
    for (const program of [process.execPath, NPM]) symlinkSync(program, join(this.#path, program === NPM ? 'npm' : 'node'));
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

  run(program: 'node' | 'npm', args: readonly string[], folder = this.folder): Promise<Ran> {
    const env = { PATH: this.#path, HOME: process.env['HOME'] ?? '/', npm_config_update_notifier: 'false' };
    return promisify(execFile)(join(this.#path, program), args, { cwd: folder, env, timeout: BOUND_MS });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
