/** The built library, or a mutant of it: the modules of which a process of the simulation is made. */
import { readFileSync } from 'node:fs';

const MODULES = {
  engine: 'worker/engine.js', control: 'worker/control.js', itemProducer: 'src/producer/item-producer.js', encode: 'src/producer/encode.js',
  doorbell: 'src/ring/doorbell.js', figures: 'src/ring/figures.js', memory: 'src/ring/memory.js', slots: 'src/ring/slots.js', slotTable: 'src/slot-table.js',
  takeover: 'worker/takeover.js',
} as const;

interface Modules {
  engine: typeof import('../../worker/engine.js');
  control: typeof import('../../worker/control.js');
  itemProducer: typeof import('../../src/producer/item-producer.js');
  encode: typeof import('../../src/producer/encode.js');
  doorbell: typeof import('../../src/ring/doorbell.js');
  figures: typeof import('../../src/ring/figures.js');
  memory: typeof import('../../src/ring/memory.js');
  slots: typeof import('../../src/ring/slots.js');
  slotTable: typeof import('../../src/slot-table.js');
  takeover: typeof import('../../worker/takeover.js');
}

export interface System extends Modules {
  readonly transcoder: WebAssembly.Module;
}

const BUILT = new URL('../../dist/', import.meta.url);

/** `folder` is that of a build. */
export async function loadSystem(folder = BUILT): Promise<System> {
  const modules = await Promise.all(Object.entries(MODULES).map(async ([name, path]) => [name, await import(/* @vite-ignore */ new URL(path, folder).href) as unknown] as const));
  const wasm = readFileSync(new URL('worker/transcode/transcoder.wasm', folder));
  return { ...Object.fromEntries(modules) as unknown as Modules, transcoder: new WebAssembly.Module(wasm) };
}
