import { MODELS, titlesOf } from '../models/models.js';

/** A test that a run may skip. Any other one that is skipped fails the run. */
export interface MaySkip {
  /** Full name: the titles from the outermost `describe` on, joined by ' > '. */
  readonly name: string;
  /** What a machine must lack for the test to be skipped there. */
  readonly reason: string;
}

export const MAY_SKIP: readonly MaySkip[] = [
  { name: 'a sync that the kernel fails > is made good', reason: 'no strace' },
  { name: 'loading real rollouts > the real corpus at ../shared/corpus loads whole', reason: 'no real rollouts beside the project' },
  {
    name: 'the envelope > of every real line is the one a full parse gives (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  {
    name: 'any file > that Codex wrote, old or new, is read without damage (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  {
    name: 'readRollout > of Codex gives every line as JSON.parse gives it (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  {
    name: 'a thread of codex\'s > is gone on with in the form of its file, and no byte that was there changes (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  {
    name: 'a thread of codex\'s > and a fork of it by codex are one history (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  ...[
    'P4 P7: leaves everything written, and threads that are whole once they are opened again, whichever call it was',
    'P4, the control: a header that gets its name before it is written',
    'P7, the control: an archive that takes the old name away first',
  ].map((name) => ({ name: `a host killed at a system call > ${name}`, reason: 'no strace' })),
  ...['P1 P2: ends in no gap and no torn line, and events degraded and recovered come once', 'P1, the control: a writer that does not cut back what the full disk took of a write']
    .map((name) => ({ name: `a disk that is full for a while > ${name}`, reason: 'not run as root, or tmpfs cannot be mounted' })),
  {
    name: 'a disk that is really full > takes what fits, the rest is salvaged, and put back once there is room: no gap, no duplicate, no glued lines (needs the right to mount)',
    reason: 'not run as root, or no tmpfs',
  },
  {
    name: 'option directory: one that an unprivileged user may not write to is refused',
    reason: 'not run as root, or the project lies where another user may not read it',
  },
  ...MODELS.flatMap((model) => Object.values(titlesOf(model)).map((title) => ({ name: `models > ${title}`, reason: 'no spin or no gcc' }))),
  { name: 'in the place of a rollout > P17: a device is refused (needs root)', reason: 'not run as root' },
  {
    name: 'a rollout with a further name > P17: is refused in a folder of another user, unless the name is one that our own publishing leaves behind (needs root)',
    reason: 'not run as root',
  },
  { name: 'what is touched > P17: by 2000 ids, none or strange, is nothing outside the directory (needs strace)', reason: 'no strace' },
  { name: 'what is touched > the control: the same sees a library that takes any id for part of a path (needs strace)', reason: 'no strace' },
  { name: 'a system that has no thread left > a real one: openSidecar() rejects in the same way (needs root and bash)', reason: 'not run as root, no bash, or the project lies where another user may not read it' },
  { name: 'modes > P17: a rollout of another user keeps its mode (needs root)', reason: 'not run as root' },
  {
    name: 'the command line on real rollouts lists, shows and verifies every one (needs the real rollouts beside the project)',
    reason: 'no real rollouts beside the project',
  },
  { name: 'a command of README, CONTRIBUTING or docs > on files by hand prints what it says (needs jq and python3)', reason: 'no jq or no python3' },
  { name: 'mistakes > no permission is named, and whose files they are (needs root)', reason: 'not run as root, or the project lies where another user may not read it' },
  ...[
    ...[80, 120].flatMap((columns) => ['ls', 'ls-tree', 'show', 'show-codex', 'help', 'ls-help'].map((scene) => `of ${columns} columns, ${scene} looks as it did`)),
    'a verification that is interrupted ends with status 130, and leaves the terminal as it was',
    'verify draws a bar, which is gone at the end, with what is damaged in its place',
    'with NO_COLOR=1 has no colours', 'with TERM=dumb has no colours',
  ].map((name) => ({ name: `in a terminal > ${name}`, reason: 'no script or no stty' })),
];
