/* Sleeping, as src/ring/doorbell.ts has it. One generation word for each sleeper, kept as a bit: bumped since its owner
   read it. One thread sleeps on each word, so a bit says as much as a counter. */
#define READ(generation) generation = 0
#define SLEEP(generation, asleep) d_step { if :: generation == 0 -> asleep = 1 :: else -> skip fi }; (asleep == 0)
#define WAKE(generation, asleep) generation = 1; asleep = 0

byte writerGeneration; bit isParked, isWriterAsleep;

#define WAKE_WRITER WAKE(writerGeneration, isWriterAsleep)

/* ringDoorbell(): one load; exchanged only where that says parked. `seen` is the caller's. */
inline ringDoorbell(seen) {
#ifdef LATE_CLEAR
  if :: isParked -> writerGeneration = 1; isParked = 0; isWriterAsleep = 0 :: else fi
#elif defined(NO_BUMP)
  d_step { seen = isParked; isParked = 0 }; if :: seen -> isWriterAsleep = 0 :: else fi
#elif defined(BELL_FIRST)
  if :: seen -> WAKE_WRITER :: else fi /* `seen` was loaded before the publish */
#else
  if :: isParked -> d_step { seen = isParked; isParked = 0 }; if :: seen -> WAKE_WRITER :: else fi
     :: else fi
#endif
}
