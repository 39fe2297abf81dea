/** What is used of msgpackr: the declarations of this entry of the package do not resolve, and leave out some of it. */
declare module 'msgpackr/pack' {
  export interface PackrOptions {
    structures: string[][];
    maxSharedStructures: number;
    maxOwnStructures: number;
    moreTypes: boolean;
    useBigIntExtension: boolean;
    /** Called for each object that is written by its own members. */
    useRecords: (object: object) => boolean;
    /** Whether a new list of keys may become a shared definition; it goes inline otherwise. */
    shouldShareStructure: (keys: string[]) => boolean;
    /** Called once the item is packed, with all shared lists, when there are new ones. */
    saveStructures: (lists: string[][] & { sharedLength?: number }) => boolean;
    /** Called for each function met. */
    writeFunction: (value: unknown) => unknown;
  }
  export class Packr {
    constructor(options: Partial<PackrOptions> | { useRecords: false });
    /** Of the module: where the next byte goes. */
    position: number;
    /** Where the last pack of this Packr ended; not set by one that failed. */
    offset: number;
    /** The lists of keys, and the tree in which they are found; it is made anew from them where it is missing. */
    readonly structures: { transitions: object | null };
    /** Of the module: the buffer to pack into. */
    useBuffer(buffer: Uint8Array): void;
    pack(value: unknown, mode?: number): Buffer;
  }
  /** pack() returns the buffer itself, not a part of it. */
  export const REUSE_BUFFER_MODE: number;
}
