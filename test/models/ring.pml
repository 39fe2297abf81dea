/* Ring and arena: frames of one and two slots, padding, the link that opens a run, the producer's sleep when both are
   full, a closer in another thread, and a writer that dies at any step and is taken over.
   Promise: the file gets every accepted item once, in order; nobody sleeps for ever. Positions are not modulo here: the
   explorer has that. */
#include "sleep.pml"
#ifndef N
#define N 3         /* slots of the ring; one is always kept for a link */
#endif
#ifndef A
#define A 2         /* slots of the arena */
#endif
#ifndef M
#define M 5         /* items */
#endif
#ifndef SIZES
#define SIZES 2     /* slots of the largest frame */
#endif
#ifndef BATCH
#define BATCH 9     /* frames of one pass */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define PADDING 100
#define LINK 101
#define NONE 255
#ifdef NO_LINK_ROOM
#define LINK_ROOM 0
#else
#define LINK_ROOM 1
#endif

byte head, tail, arenaHead, arenaTail;
byte ring[N], ringSize[N], arena[A], arenaSize[A];
byte runStart[N]; bit isFinished[N];        /* of a link */
byte accepted; bit isSealed;                /* the seal word */
byte written, file;                         /* the watermark; the last item in the file */
byte generation, closerGeneration; bit isAsleep, isCloserAsleep;
bit isProduced, isClosed, isKilled; byte deaths;

/* What is in the frame: stored before the publish. A frame of two slots is read in both. */
#define FILL(area, sizes, at, length) d_step { area[at % length] = accepted + 1; sizes[at % length] = size; \
  if :: size == 2 -> area[(at + 1) % length] = accepted + 1 :: else fi }

active proctype producer() {
  byte sent, size, at, seen, used, link = NONE, start; bit isInArena, isWaiting, bell;
  do
  :: sent < M ->
     size = 1;
     if :: SIZES == 2 -> size = 2 :: true fi;
again:
     READ(generation);
     /* tryFinishRun */
     if
     :: link != NONE ->
#ifndef FINISHED_WITH_ARENA
        if :: arenaHead == arenaTail -> skip :: else -> goto stillOpen fi;
#endif
#ifndef FINISHED_WITH_RING
        if :: head == link -> skip :: else -> goto stillOpen fi;
#endif
        isFinished[link % N] = 1; link = NONE
     :: else
     fi;
     /* tryClaimInRing; the padding that has no room behind it was not claimed */
     d_step { seen = head; at = (tail % N + size > N -> N - tail % N : 0) };
     if
     :: at + size + tail - seen <= N - LINK_ROOM ->
        if :: at > 0 -> d_step { ring[tail % N] = PADDING; ringSize[tail % N] = at } :: else fi;
        d_step { at = tail + at; isInArena = 0 };
#ifdef PUBLISH_FIRST
        tail = at + size;
#endif
        FILL(ring, ringSize, at, N);
        goto exchange
     :: else
     fi;
     /* openRun: the arena is empty, and the run begins at its beginning */
#ifdef START_ANYWHERE
     start = arenaTail;
#else
     d_step { start = arenaTail + (A - arenaTail % A) % A };
#endif
     arenaTail = start;
     assert(tail - head < N);
     d_step { ring[tail % N] = LINK; ringSize[tail % N] = 1; runStart[tail % N] = start; isFinished[tail % N] = 0 };
     d_step { link = tail; tail++; isWaiting = 0 };
     goto claimInArena;
stillOpen:
     isWaiting = 1;
claimInArena:
     seen = arenaHead;
     d_step { used = (arenaTail - start < arenaTail - seen -> arenaTail - start : arenaTail - seen); at = (arenaTail % A + size > A -> A - arenaTail % A : 0) };
     if
     :: used + at + size <= A ->
        if :: at > 0 -> d_step { arena[arenaTail % A] = PADDING; arenaSize[arenaTail % A] = at } :: else fi;
        d_step { at = arenaTail + at; isInArena = 1 };
        FILL(arena, arenaSize, at, A);
        goto exchange
     :: else ->
        assert(isWaiting);                                         /* an arena that was drained takes what fits */
        if :: isSealed -> break :: else fi;
        WAKE_WRITER;
        SLEEP(generation, isAsleep);
        goto again
     fi;
exchange:
     if
     :: d_step { !isSealed -> accepted++ }
     :: isSealed -> break
     fi;
     if
     :: isInArena -> arenaTail = at + size
     :: else -> tail = at + size
     fi;
     ringDoorbell(bell);
     d_step { sent++; size = 0; at = 0; seen = 0; used = 0; isInArena = 0; isWaiting = 0; bell = 0 }
  :: else -> break
  od;
  isProduced = 1
}

/* One frame: published, so nothing of it changes. */
#define TAKE(area, sizes, position, length) d_step { \
  item = area[position % length]; frames++; \
  if \
  :: item == PADDING -> skip \
  :: else -> \
     assert(item != LINK && (sizes[position % length] == 1 || area[(position + 1) % length] == item)); \
     if \
     :: item <= last -> skip /* a dead writer wrote it */ \
     :: else -> assert(item == last + 1); file++; last++ \
     fi \
  fi; \
  position = position + sizes[position % length]; item = 0 }

inline wakeAll() {
  WAKE(generation, isAsleep);
#ifdef CLOSE
  WAKE(closerGeneration, isCloserAsleep)
#endif
}

active proctype writer() {
  byte last, item, position, arenaPosition, seenTail, frames, start; bit isFound, isOpen;
  do
  :: {
#ifdef LAST_FROM_WATERMARK
     last = written;
#else
     last = file;                                                  /* takeover: the file says what is written */
#endif
     written = last;
#ifndef NO_TAKEOVER_WAKE
     wakeAll();
#endif
     do
     ::
        READ(writerGeneration);
        /* walk */
        d_step { position = head; arenaPosition = arenaHead; frames = 0 };
        seenTail = tail;
#ifdef RELEASE_FIRST
        head = seenTail;
#endif
        do
        :: position < seenTail && frames < BATCH ->
           if
           :: ring[position % N] == LINK ->
#ifdef MARK_FIRST
              isOpen = !isFinished[position % N]; start = arenaTail;
#else
              start = arenaTail; isOpen = !isFinished[position % N];
#endif
              if
              :: isOpen ->
#ifndef NO_START
                 if :: runStart[position % N] > arenaPosition -> arenaPosition = runStart[position % N] :: else fi;
#endif
#ifdef ARENA_HEAD_FIRST
                 arenaHead = start;
#endif
                 do
                 :: arenaPosition < start && frames < BATCH ->
                    TAKE(arena, arenaSize, arenaPosition, A)
                 :: else -> break
                 od;
#ifndef LINK_PASSED
                 break
#else
                 position++
#endif
              :: else -> position++
              fi
           :: else ->
              TAKE(ring, ringSize, position, N)
           fi
        :: else -> break
        od;
        isFound = (position != head || arenaPosition != arenaHead);
        if
        :: isFound ->
           written = last;
           arenaHead = arenaPosition; head = position;
           wakeAll()
        :: else ->
           isParked = 1;
           /* hasPublished */
           d_step { seenTail = tail; isFound = 0 };
           if
           :: seenTail == head -> skip
           :: seenTail != head && ring[head % N] != LINK -> isFound = 1
           :: seenTail != head && ring[head % N] == LINK ->
#ifndef NO_LOOK_AT_ARENA
              if :: arenaTail != arenaHead -> isFound = 1 :: else fi;
#endif
              if :: isFinished[head % N] -> isFound = 1 :: else fi
           fi;
           if
           :: isFound -> isParked = 0
           :: else ->
              d_step {
                if :: writerGeneration == 0 -> isWriterAsleep = 1 :: else -> skip fi;
                seenTail = 0; position = 0; arenaPosition = 0; frames = 0; start = 0; isOpen = 0
              };
end_parked:   (isWriterAsleep == 0);
              isParked = 0
           fi
        fi
     od
     } unless { isKilled };
     d_step { isKilled = 0; isWriterAsleep = 0; last = 0; position = 0; arenaPosition = 0; seenTail = 0; frames = 0; start = 0; isFound = 0; isOpen = 0 }
  od
}

active proctype killer() {
  do :: deaths < DEATHS -> d_step { deaths++; isKilled = 1 }; (!isKilled) :: break od
}

#ifdef CLOSE
active proctype closer() {
  isSealed = 1;
  WAKE(generation, isAsleep);
  WAKE_WRITER;
  do
  :: READ(closerGeneration);
     if :: written >= accepted -> break :: else -> SLEEP(closerGeneration, isCloserAsleep) fi
  od;
  isClosed = 1
}
#endif

init {
  timeout;
  assert(isProduced);
#ifdef CLOSE
  assert(isClosed);
#else
  assert(accepted == M);
#endif
  assert(file == accepted && written == accepted)
}
