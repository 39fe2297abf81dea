/** What is checked of each model: sizes at which it holds, and bugs that it must find. */

export interface Model {
  readonly file: string;
  /** Definitions of each search that must find nothing: in the test command, and with LASTWORD_MODELS=full. */
  readonly holds: readonly string[];
  readonly holdsInFull: readonly string[];
  /** Bugs, and the definitions that bring each about. */
  readonly mutants: Readonly<Record<string, string>>;
}

export const MODELS: readonly Model[] = [
  {
    file: 'doorbell',
    holds: ['M=2'],
    holdsInFull: ['M=4', 'N=2'],
    mutants: {
      'a flag cleared after the bump': 'LATE_CLEAR',
      'a doorbell that notifies without a bump': 'NO_BUMP',
      'a doorbell that looks before the publish': 'BELL_FIRST',
      'a producer that reads its generation after its look': 'GENERATION_LATE',
      'a writer that reads its generation after its look': 'WRITER_GENERATION_LATE',
      'a head that moves without a bump': 'NO_PRODUCER_BUMP',
      'a writer that says it parks after its second look': 'SAYS_LATE',
      'a writer that parks without a second look': 'NO_SECOND_LOOK',
    },
  },
  {
    file: 'ring',
    holds: ['N=2 SIZES=1 M=4', 'DEATHS=0 M=4'],
    holdsInFull: ['M=4', 'N=2 SIZES=1 CLOSE M=2', 'DEATHS=0 M=5', 'DEATHS=2 M=3', 'N=2 SIZES=1 CLOSE M=3', 'BATCH=1 M=3'],
    mutants: {
      'a frame published before it is filled': 'PUBLISH_FIRST',
      'a head that moves before the write': 'RELEASE_FIRST N=2 SIZES=1 M=4',
      'an arena\'s head that moves before the write': 'ARENA_HEAD_FIRST',
      'a successor that believes the watermark': 'LAST_FROM_WATERMARK N=2 SIZES=1 M=4',
      'a successor that wakes nobody': 'NO_TAKEOVER_WAKE N=2 A=1 SIZES=1 M=3',
      'a run that ends while frames wait in the arena': 'FINISHED_WITH_ARENA',
      'a run that ends while frames wait in front of it': 'FINISHED_WITH_RING N=2 SIZES=1 M=4',
      'a ring without room for a link': 'NO_LINK_ROOM',
      'a run that begins in the middle of the arena': 'START_ANYWHERE DEATHS=0',
      'a link that does not say where its run begins': 'NO_START DEATHS=0',
      'a look at the mark of a run before the tail of the arena': 'MARK_FIRST',
      'a look behind a link whose run is open': 'LINK_PASSED',
      'a second look that forgets the arena': 'NO_LOOK_AT_ARENA',
    },
  },
  {
    file: 'parking',
    holds: ['M=2', 'M=3 DEATHS=0'],
    holdsInFull: ['M=3', 'M=3 L=5', 'M=4 DEATHS=0'],
    mutants: {
      'a successor that does not look into the log': 'NO_ADOPTION M=3',
      'a tail of the log stored before the frame': 'TAIL_FIRST M=2',
      'a frame of the log given back before it is moved': 'MOVED_FIRST M=3',
      'a frame of the log given back before it is written': 'REMOVED_FIRST M=3',
      'a frame that was being moved and is adopted twice': 'ADOPTED_TWICE M=3',
      'a head that moves though the log is full': 'STALL_PASSES M=3',
      'a file that is not tried again': 'NO_RETRY M=3',
    },
  },
  {
    file: 'takeover',
    holds: ['M=4', 'DEATHS=2 M=3', 'POISON M=3'],
    holdsInFull: ['POISON M=4 DEATHS=2', 'DEATHS=3 M=3'],
    mutants: {
      'a torn end that stays': 'NO_CUT M=3',
      'a write that fell short and is not cut back': 'NO_CUT_BACK M=3',
      'a successor that believes the watermark': 'LAST_FROM_WATERMARK M=3',
      'a successor that wakes nobody': 'NO_TAKEOVER_WAKE M=3',
      'frames that are written again after a pass that failed': 'NO_SKIP M=3',
      'a watermark of what was tried': 'WATERMARK_OF_PASS M=3',
      'a head that passes what is not written': 'RELEASES_ALL M=3',
      'a mark that does not count': 'POISON MARKS_ONCE M=3',
      'a mark cleared before the record is written': 'POISON MARK_CLEARED_EARLY M=3',
    },
  },
  {
    file: 'flush',
    holds: ['M=1'],
    holdsInFull: ['', 'LEVELS=2', 'M=1 LEVELS=2 DEATHS=2'],
    mutants: {
      'a wanted word that is stored, not raised': 'STORED_PLAINLY LEVELS=2 M=1',
      'a wanted word without a request': 'NO_REQUEST LEVELS=2',
      'a flush that waits for its own count and no more': 'WAITS_FOR_EQUAL',
      'a wanted word cleared by the sync that it began': 'CLEARS_WANTED LEVELS=2',
      'a sync that publishes what is written when it ends': 'SYNCED_AS_WRITTEN LEVELS=2',
      'a sync after which nobody looks at what is wanted': 'NOT_QUEUED_AGAIN LEVELS=2',
      'a successor that takes the file for synced': 'TAKEN_FOR_SYNCED LEVELS=2',
      'a successor that looks at new requests only': 'REQUESTS_FORGOTTEN LEVELS=2',
      'a successor that wakes nobody': 'NO_TAKEOVER_WAKE LEVELS=2',
    },
  },
  {
    file: 'ended',
    holds: ['', 'DIE M=1', 'DIE CLOSERS=0 M=1', 'DEATHS=1 M=1'],
    holdsInFull: ['CLOSERS=2', 'DIE FLUSH CLOSERS=0 M=1', 'DIE DEATHS=1 CLOSERS=0 M=1'],
    mutants: {
      'a seal that is looked at before the count is raised': 'SEAL_LOOKED_AT',
      'a publish before the exchange': 'PUBLISHED_FIRST',
      'an exchange before the frame is whole': 'EXCHANGED_FIRST DIE M=1',
      'frames behind the published tail that are lost': 'NO_STAMPS DIE M=1',
      'frames that are whole and were not accepted, and are taken': 'STAMP_IS_ENOUGH',
      'a close that takes an ended producer for a drained one': 'ENDED_IS_DRAINED DIE M=1',
      'a thread given to another producer too early': 'RESUMED_EARLY DIE CLOSERS=0 M=1',
      'an end that wakes nobody': 'NO_DEATH_BELL DIE CLOSERS=0 M=1',
    },
  },
  {
    file: 'exit',
    holds: [''],
    holdsInFull: ['M=6'],
    mutants: {
      'a stand-in that believes the watermark': 'WATERMARK_IS_THE_END',
      'a stand-in for a writer that is only stuck': 'STUCK_IS_GONE',
      'a drain that does not wake the writer': 'NO_WAKE',
      'an answer that wakes nobody': 'ANSWERS_QUIETLY',
      'a death that wakes nobody': 'DIES_QUIETLY',
    },
  },
  {
    file: 'incarnation',
    holds: [''],
    holdsInFull: [],
    mutants: { 'frames of an older opening that are taken': 'ANY_INCARNATION' },
  },
];

/** Titles of its tests; all of them need `spin` and `gcc`. */
export function titlesOf({ file }: Model): { holds: string; mutants: string } {
  return { holds: `${file}: holds in every state`, mutants: `${file}: each bug put into it is found` };
}
