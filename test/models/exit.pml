/* The last drain: main blocks until the writer has written everything and let go of its leases. A writer that dies says so
   and wakes main, which then writes itself, from the file's end; it may append once more in between.
   Promise: everything accepted is in the file once, there are never two writers, and main does not sleep for ever. */
#include "sleep.pml"
#ifndef M
#define M 3         /* items accepted when the process ends */
#endif
#define LEASE 1

byte tail = M, head, file, written;
byte requests, answers, generation; bit isAsleep, hasExited, isGone, isKilled, isOver, lease = LEASE;

inline wakeMain() { WAKE(generation, isAsleep) }

/* Standby: the file says what is written. */
inline standIn() {
  assert(isGone);
#ifdef WATERMARK_IS_THE_END
  file = file + (tail - written);
#else
  file = tail;
#endif
  written = file; head = tail
}

inline drain() {
  do
  :: READ(generation);
     if
#ifdef STUCK_IS_GONE
     :: !hasExited && written < tail -> standIn(); break
#endif
     :: hasExited -> standIn(); break
     :: !hasExited && written >= tail -> break
     :: else ->
#ifndef NO_WAKE
        WAKE_WRITER;
#endif
        SLEEP(generation, isAsleep)
     fi
  od
}

active proctype mainThread() {
  byte request;
  drain();
  if
  :: tail++; drain()     /* a listener of 'exit' appends */
  :: true
  fi;
  requests++; request = requests;
  do
  :: READ(generation);
     if
     :: answers == request || hasExited -> break
     :: else -> WAKE_WRITER; SLEEP(generation, isAsleep)
     fi
  od;
  if :: hasExited -> lease = 0 :: else fi;
  isOver = 1
}

active proctype writer() {
  byte seen, seenRequests, answered; bit isFound;
  { do
    :: READ(writerGeneration);
       seenRequests = requests;
       d_step { seen = tail; isFound = 0 };
       do
       :: head < seen && file < seen -> file++; isFound = 1
       :: else -> break
       od;
       if :: isFound -> written = file; head = seen; wakeMain() :: else fi;
       if
       :: !isFound && seenRequests != answered ->
          answered = seenRequests; lease = 0; answers = seenRequests;
#ifndef ANSWERS_QUIETLY
          wakeMain()
#endif
       :: else
       fi;
       if
       :: isFound -> skip
       :: else ->
          isParked = 1;
          if
          :: tail != head -> isParked = 0
          :: else ->
             d_step { if :: writerGeneration == 0 -> isWriterAsleep = 1 :: else -> skip fi };
end_parked:  (isWriterAsleep == 0);
             isParked = 0
          fi
       fi
    od
  } unless { isKilled };
  isGone = 1;
  hasExited = 1;
#ifndef DIES_QUIETLY
  wakeMain()
#endif
}

active proctype killer() { if :: isKilled = 1 :: true fi }

init {
  timeout;
  assert(isOver && lease == 0);
  assert(file == tail && written == tail)
}
