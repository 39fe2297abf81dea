/** A test that a run may skip. Any other one that is skipped fails the run. */
export interface MaySkip {
  /** Full name: the titles from the outermost `describe` on, joined by ' > '. */
  readonly name: string;
  /** What a machine must lack for the test to be skipped there. */
  readonly reason: string;
}

export const MAY_SKIP: readonly MaySkip[] = [
  { name: 'loading real rollouts > the real corpus at ../shared/corpus loads whole', reason: 'no real rollouts beside the project' },
];
