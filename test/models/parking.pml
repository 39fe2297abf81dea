/* Frames of threads that cannot be written are moved to the parking area, a log in the shared memory, so that the others
   go on: added, written from there, moved behind what came later when room is needed, and adopted by a new writer, which
   may find a frame twice. Two threads, whose frames take one slot and two; their files fail for a while.
   Promise: every file gets its items once, in order, and the writer is woken for what is left. How waking is done is
   doorbell.pml's: here it is one step. */
#ifndef N
#define N 3         /* frames of the ring */
#endif
#ifndef L
#define L 4         /* slots of the log */
#endif
#ifndef M
#define M 4         /* items */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define THREADS 2
#define PADDING 250
#define FRAME(thread, count) ((count) * THREADS + (thread))
#define THREAD_OF(frame) (frame % THREADS)
#define COUNT_OF(frame) (frame / THREADS)
#define SLOTS_OF(frame) (frame == PADDING -> 1 : frame % THREADS + 1)

byte head, tail, ring[N], accepted[THREADS];
byte parkingHead, parkingTail, parking[L];   /* a frame of two slots is named in the first */
byte written[THREADS], file[THREADS];
bit isFailing[THREADS] = 1, isProduced, isHealed, isKilled, isWoken; byte deaths;
#define WAKE_WRITER isWoken = 1

active proctype producer() {
  byte sent, thread;
  do
  :: sent < M ->
     if :: thread = 0 :: thread = 1 fi;
     d_step { tail - head < N -> accepted[thread]++; ring[tail % N] = FRAME(thread, accepted[thread]); tail++; sent++; thread = 0; WAKE_WRITER }
  :: else -> break
  od;
  (written[0] >= accepted[0] && written[1] >= accepted[1]);
  isProduced = 1
}

/* Both files fail at first. Each no longer does some time later, and then its retry is due; one may fail again. */
inline heal(thread) {
  isFailing[thread] = 0;
#ifndef NO_RETRY
  WAKE_WRITER
#endif
}

active proctype disk() {
  if
  :: heal(0); heal(1)
  :: heal(1); isFailing[1] = 1; heal(1); heal(0)
  fi;
  isHealed = 1
}

/* The padding that a frame of two slots needs at the end of the log. */
#define PADDING_BEFORE(slots) (L - parkingTail % L < slots -> L - parkingTail % L : 0)
#define HAS_ROOM(slots) (parkingTail - parkingHead + PADDING_BEFORE(slots) + slots + 1 <= L)

/* Parking.#copy: the frame, then the tail. */
inline copyToLog(frame) {
#ifdef TAIL_FIRST
  d_step { at = parkingTail; parkingTail = parkingTail + PADDING_BEFORE(SLOTS_OF(frame)) + SLOTS_OF(frame) };
  d_step { if :: L - at % L < SLOTS_OF(frame) -> parking[at % L] = PADDING; isDone[at % L] = 1; at++ :: else fi; parking[at % L] = frame; isDone[at % L] = 0; at = 0 }
#else
  d_step {
    at = parkingTail;
    if :: L - at % L < SLOTS_OF(frame) -> parking[at % L] = PADDING; isDone[at % L] = 1; at++ :: else fi;
    parking[at % L] = frame; isDone[at % L] = 0; at = at + SLOTS_OF(frame)
  };
  d_step { parkingTail = at; at = 0 }
#endif
}

/* Parking.#passWritten: the head passes what is written, or moved. One store. */
inline passWritten() {
  d_step {
    at = parkingHead;
    do :: at < parkingTail && isDone[at % L] -> at = at + SLOTS_OF(parking[at % L]) :: else -> break od;
    parkingHead = at; at = 0
  }
}

/* Writer.#write: what is parked, then what the batch has, with one write(). takeover.pml has those that fall short. */
inline writeThread() {
#ifdef REMOVED_FIRST
  d_step { removeParked(last[thread] + parked[thread]) };
  passWritten();
#endif
  if
  :: d_step { !isFailing[thread] ->
     last[thread] = last[thread] + parked[thread]; parked[thread] = 0;
     position = head;
     do
     :: position != seenTail ->
        if
        :: THREAD_OF(ring[position % N]) == thread && COUNT_OF(ring[position % N]) > last[thread] ->
           assert(COUNT_OF(ring[position % N]) == last[thread] + 1);
           last[thread]++
        :: else
        fi;
        position++
     :: else -> break
     od;
     file[thread] = last[thread]; position = 0; isWritten = 1 }
  :: isFailing[thread] -> isWritten = 0
  fi;
  written[thread] = file[thread];
  d_step { isAny = 0; removeParked(file[thread]) };
  if :: isAny -> passWritten() :: else fi
}

/* Frames of the thread up to that count are written: their places are marked, for passWritten(). */
inline removeParked(count) {
  at = parkingHead;
  do
  :: at < parkingTail ->
     if
     :: !isDone[at % L] && THREAD_OF(parking[at % L]) == thread && COUNT_OF(parking[at % L]) <= count -> isDone[at % L] = 1; isAny = 1
     :: else
     fi;
     at = at + SLOTS_OF(parking[at % L])
  :: else -> break
  od;
  at = 0
}

/* Writer.#park, with Parking.add and its #clean: what is in front is moved behind, while that gives room. */
inline parkThread() {
  position = head;
  do
  :: !isStalled ->
     d_step {
       do
       :: position != seenTail && (THREAD_OF(ring[position % N]) != thread || COUNT_OF(ring[position % N]) <= last[thread] + parked[thread]) -> position++
       :: else -> break
       od;
       assert(position == seenTail || COUNT_OF(ring[position % N]) == last[thread] + parked[thread] + 1)
     };
     if :: position == seenTail -> break :: else fi;
     d_step {
       at = parkingHead; moves = 0;
       do :: at < parkingTail -> moves++; at = at + SLOTS_OF(parking[at % L]) :: else -> break od;
       at = 0
     };
     do
     :: moves > 0 && !HAS_ROOM(thread + 1) && parkingHead != parkingTail && HAS_ROOM(SLOTS_OF(parking[parkingHead % L])) ->
        d_step { frame = parking[parkingHead % L]; from = parkingHead };
#ifdef MOVED_FIRST
        isDone[from % L] = 1; passWritten(); copyToLog(frame);
#else
        copyToLog(frame); isDone[from % L] = 1; passWritten();
#endif
        d_step { frame = 0; from = 0; moves-- }
     :: else -> break
     od;
     moves = 0;
     if
     :: HAS_ROOM(thread + 1) -> copyToLog(FRAME(thread, last[thread] + parked[thread] + 1)); parked[thread]++
     :: else -> isStalled = 1
     fi
  :: else -> break
  od;
  position = 0
}

/* A new writer: what the files have, and what the log has of the rest. Of a frame that is there twice the later one stays. */
inline takeOver() {
  d_step { last[0] = file[0]; last[1] = file[1] };
  d_step {
    at = parkingHead;
    do
    :: at < parkingTail ->
       isDone[at % L] = 1;
       assert(parking[at % L] != 0); /* nothing of the log is unfilled */
       if
       :: parking[at % L] != PADDING && COUNT_OF(parking[at % L]) > last[THREAD_OF(parking[at % L])] ->
#ifndef NO_ADOPTION
          isDone[at % L] = 0;
          parked[THREAD_OF(parking[at % L])]++;
#ifndef ADOPTED_TWICE
          from = parkingHead;
          do
          :: from < at ->
             if :: !isDone[from % L] && parking[from % L] == parking[at % L] -> isDone[from % L] = 1; parked[THREAD_OF(parking[at % L])]-- :: else fi;
             from = from + SLOTS_OF(parking[from % L])
          :: else -> break
          od
#endif
#endif
       :: else
       fi;
       at = at + SLOTS_OF(parking[at % L])
    :: else -> break
    od;
    at = 0; from = 0
  };
  passWritten();
  d_step { written[0] = last[0]; written[1] = last[1] }
}

active proctype writer() {
  byte last[THREADS], parked[THREADS], position, seenTail, at, from, moves, frame, thread; bit isDone[L], isWritten, isStalled, isFound, isAny;
  do
  :: {
     takeOver();
     do
     ::
        d_step { isWoken = 0; seenTail = tail; isStalled = 0; isFound = (seenTail != head || parked[0] + parked[1] > 0); isAny = 0; thread = 0 };
        if
        :: isFound ->
           do
           :: thread < THREADS ->
              writeThread();
              if :: isWritten -> skip :: else -> parkThread() fi;
              thread++
           :: else -> break
           od;
#ifdef STALL_PASSES
           isStalled = 0;
#endif
           isAny = (!isStalled && head != seenTail);
           if :: isAny -> head = seenTail :: else fi
        :: else
        fi;
        if
        :: isAny -> skip
        :: else ->
           d_step { seenTail = 0; position = 0; isWritten = 0; isFound = 0; isAny = 0; isStalled = 0; thread = 0 };
end_asleep: isWoken
        fi
     od
     } unless { isKilled };
     d_step {
       isKilled = 0; isWoken = 0; last[0] = 0; last[1] = 0; parked[0] = 0; parked[1] = 0; position = 0; seenTail = 0; at = 0; from = 0; moves = 0;
       frame = 0; thread = 0; isWritten = 0; isStalled = 0; isFound = 0; isAny = 0;
       do :: at < L -> isDone[at] = 0; at++ :: else -> break od; at = 0
     }
  od
}

active proctype killer() {
  do :: deaths < DEATHS -> d_step { deaths++; isKilled = 1 }; (!isKilled) :: break od
}

init {
  timeout;
  assert(isHealed && isProduced);
  assert(file[0] == accepted[0] && file[1] == accepted[1]);
  assert(head == tail && parkingHead == parkingTail)
}
