/** A disk of one process: files and folders, with what of them is durable. Names are apart from files: each folder has its own syncs. */
import type { Chance } from './chance.js';
import { Inode, type CrashOrder } from './inode.js';

type Node = Inode | Folder;

/** Names that change at once; undefined for one that goes. */
type NameChange = readonly (readonly [string, Node | undefined])[];

export class Folder {
  readonly names = new Map<string, Node>();
  readonly #durable = new Map<string, Node>();
  #changes: NameChange[] = [];
  #settled = 0;

  change(change: NameChange): void {
    this.#changes.push(change);
    for (const [name, node] of change) setName(this.names, name, node);
  }

  get changesMade(): number {
    return this.#settled + this.#changes.length;
  }

  settle(made: number): void {
    const settled = this.#changes.splice(0, Math.max(0, made - this.#settled));
    this.#settled += settled.length;
    for (const change of settled) for (const [name, node] of change) setName(this.#durable, name, node);
  }

  crash(order: CrashOrder, chance: Chance): void {
    const made = chance(this.#changes.length + 1);
    for (const [place, change] of this.#changes.entries()) {
      const isThere = order === 'ordered' ? place < made : chance(2) === 0;
      if (isThere) for (const [name, node] of change) setName(this.#durable, name, node);
    }
    this.#settled += this.#changes.length;
    this.#changes = [];
    this.names.clear();
    for (const [name, node] of this.#durable) this.names.set(name, node);
  }
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

/** An open file. */
export interface Description {
  readonly inode: Inode;
  /** Failures of the file that this descriptor needs not be told of. */
  errorsSeen: number;
}

export class VirtualDisk {
  readonly root = new Folder();
  readonly descriptors = new Map<number, Description>();
  #descriptorNext = 10;
  /** Bytes that may still be written. */
  room = Infinity;

  /** What has the path; undefined when nothing has. */
  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of namesOf(path)) node = node instanceof Folder ? node.names.get(name) : undefined;
    return node;
  }

  file(path: string): Inode | undefined {
    const node = this.find(path);
    return node instanceof Inode ? node : undefined;
  }

  /** The folder in which the path's last name is, and that name. */
  place(path: string): { folder: Folder | undefined; name: string } {
    const at = path.lastIndexOf('/');
    const folder = this.find(path.slice(0, at));
    return { folder: folder instanceof Folder ? folder : undefined, name: path.slice(at + 1) };
  }

  open(inode: Inode): number {
    const descriptor = this.#descriptorNext++;
    // A failure that nobody was told of is told to whoever opens the file next.
    this.descriptors.set(descriptor, { inode, errorsSeen: inode.isErrorSeen ? inode.errors : inode.errors - 1 });
    return descriptor;
  }

  /** The process is gone, and its descriptors with it. */
  closeAll(): void {
    this.descriptors.clear();
  }

  crash(order: CrashOrder, chance: Chance): void {
    const crashed = new Set<Node>();
    const visit = (node: Node): void => {
      if (crashed.has(node)) return;
      crashed.add(node);
      node.crash(order, chance);
      if (node instanceof Folder) for (const child of node.names.values()) visit(child);
    };
    visit(this.root);
    this.#count();
  }

  /** How many names each file has. */
  #count(): void {
    const files: Inode[] = [];
    const visit = (folder: Folder): void => {
      for (const node of folder.names.values()) {
        if (node instanceof Folder) visit(node);
        else files.push(node);
      }
    };
    visit(this.root);
    for (const file of files) file.names = 0;
    for (const file of files) file.names += 1;
  }
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
