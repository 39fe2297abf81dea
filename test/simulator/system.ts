/** The built library, or a mutant of it: the modules of which a process of the simulation is made. */
import { readFileSync } from 'node:fs';
import { mutantPackage, type Patch } from '../support/mutants.js';

const MODULES = {
  engine: 'worker/engine.js', control: 'worker/control.js', itemProducer: 'src/producer/item-producer.js', encode: 'src/producer/encode.js',
  doorbell: 'src/ring/doorbell.js', figures: 'src/ring/figures.js', memory: 'src/ring/memory.js', layout: 'src/ring/layout.js', slots: 'src/ring/slots.js', slotTable: 'src/slot-table.js',
  takeover: 'worker/takeover.js', fsOps: 'worker/fs-ops.js', processes: 'worker/lease/processes.js',
} as const;

export interface Modules {
  engine: typeof import('../../worker/engine.js');
  control: typeof import('../../worker/control.js');
  itemProducer: typeof import('../../src/producer/item-producer.js');
  encode: typeof import('../../src/producer/encode.js');
  doorbell: typeof import('../../src/ring/doorbell.js');
  figures: typeof import('../../src/ring/figures.js');
  memory: typeof import('../../src/ring/memory.js');
  layout: typeof import('../../src/ring/layout.js');
  slots: typeof import('../../src/ring/slots.js');
  slotTable: typeof import('../../src/slot-table.js');
  takeover: typeof import('../../worker/takeover.js');
  fsOps: typeof import('../../worker/fs-ops.js');
  processes: typeof import('../../worker/lease/processes.js');
}

export interface System extends Modules {
  readonly transcoder: WebAssembly.Module;
}

/** Bounds that a short history never meets, so small that it does. */
const SMALL: readonly Patch[] = [
  { file: 'src/ring/layout.js', find: 'SLOTS_MAX = 2 ** 17;', replace: 'SLOTS_MAX = 2 ** 7;' },
  { file: 'worker/writer.js', find: 'PASS_FRAMES_MAX = 16_384;', replace: 'PASS_FRAMES_MAX = 16;' },
  { file: 'worker/writer.js', find: 'PASS_BYTES_MAX = 16 * 1024 * 1024;', replace: 'PASS_BYTES_MAX = 16 * 1024;' },
  { file: 'worker/group-output.js', find: 'OUTPUT_OFFSET + OUTPUT_BYTES;', replace: 'OUTPUT_OFFSET + 4096;' },
  { file: 'worker/salvage-frames.js', find: 'WALK_FRAMES_MAX = 16_384;', replace: 'WALK_FRAMES_MAX = 16;' },
];

/** With the patches applied. The test that asks for it takes it away at its end. */
export async function loadSystem(...patches: readonly Patch[]): Promise<System> {
  const folder = new URL('../', mutantPackage(...SMALL, ...patches).lastwordUrl);
  const wasm = readFileSync(new URL('worker/transcode/transcoder.wasm', folder));
  return { ...await loadModules(folder), transcoder: new WebAssembly.Module(wasm) };
}

/** Of the package in the folder. */
export async function loadModules(folder: URL): Promise<Modules> {
  const modules = await Promise.all(Object.entries(MODULES).map(async ([name, path]) => [name, await import(/* @vite-ignore */ new URL(path, folder).href) as unknown] as const));
  return Object.fromEntries(modules) as unknown as Modules;
}
