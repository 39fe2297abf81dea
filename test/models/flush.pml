/* flush() to written and to synced, by two JavaScript threads; data syncs beside the pass; a writer that dies.
   Wanted words are only raised, requests are counted, a sync publishes what was written when it began.
   Promise: what is said to be synced is on the disk, and who waits is woken. How waking is done is doorbell.pml's: here
   it is one step. */
#ifndef M
#define M 2         /* items */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef LEVELS
#define LEVELS 1    /* 2: both flushes want synced */
#endif

byte accepted, file, disk, written, synced;      /* published; in the file; on the disk; watermarks */
byte wanted, requests;
bit isAsleep[2], isWriterWoken, isProduced, isKilled; byte deaths, flushed;
bit isSyncing, isSyncOver; byte syncedTo;        /* a sync of the present writer; one at a time */

active proctype producer() {
  do :: d_step { accepted < M -> accepted++; isWriterWoken = 1 } :: accepted == M -> break od;
  isProduced = 1
}

#ifdef WAITS_FOR_EQUAL
#define IS_REACHED (isSync && synced >= target || !isSync && written == target)
#else
#define IS_REACHED (isSync && synced >= target || !isSync && written >= target)
#endif

proctype flusher(byte me; bit isSync) {
  byte target;
  target = accepted;
  if
  :: isSync ->
#ifdef STORED_PLAINLY
     wanted = target;
#else
     d_step { if :: wanted < target -> wanted = target :: else fi };
#endif
#ifndef NO_REQUEST
     requests++
#endif
  :: else
  fi;
  isWriterWoken = 1;
  do
  :: IS_REACHED -> break
  :: d_step { !IS_REACHED -> isAsleep[me] = 1 }; (!isAsleep[me])
  od;
  assert(!isSync || disk >= target);
  assert(file >= target);
  flushed++
}

inline wakeAll() { d_step { isAsleep[0] = 0; isAsleep[1] = 0 } }

/* The kernel ends a sync some time later, whether its writer lives or not. */
active proctype kernel() {
end_idle:
  do :: d_step { isSyncing && !isSyncOver -> if :: disk < syncedTo -> disk = syncedTo :: else fi; isSyncOver = 1; isWriterWoken = 1 } od
}

/* SyncScheduler.#queueWanted and #startDue. A file that is not dirty needs no sync. */
inline startDue() {
  if
  :: isWanted && wanted <= synced -> isWanted = 0
  :: isWanted && wanted > synced && isDirty && !isSyncing ->
     d_step { syncedTo = last; isSyncing = 1; isDirty = 0 }
#ifdef CLEARS_WANTED
     ; wanted = 0
#endif
  :: else
  fi
}

/* SyncScheduler.#sync has ended. */
inline endSync() {
#ifdef SYNCED_AS_WRITTEN
  synced = last;
#else
  synced = syncedTo;
#endif
  d_step { isSyncing = 0; isSyncOver = 0 };
#ifndef NOT_QUEUED_AGAIN
  startDue();
#endif
  wakeAll()
}

active proctype writer() {
  byte seen, requestsSeen, last, seenRequests; bit isFound, isWanted, isDirty;
  do
  :: {
     last = file; written = last;
#ifndef TAKEN_FOR_SYNCED
     isDirty = 1;
#endif
#ifdef REQUESTS_FORGOTTEN
     requestsSeen = requests;
#endif
#ifndef NO_TAKEOVER_WAKE
     wakeAll();
#endif
     do
     :: d_step { isWriterWoken = 0; seenRequests = requests; seen = accepted; isFound = 0 };
        if
        :: last < seen ->
           file = seen;
           d_step { last = seen; isFound = 1; isDirty = 1 };
           written = last;
           wakeAll()
        :: else
        fi;
        if :: seenRequests != requestsSeen -> d_step { requestsSeen = seenRequests; isWanted = 1 } :: else fi;
        startDue();
        if
        :: isSyncOver -> endSync()
        :: else
        fi;
        if
        :: isFound -> skip
        :: else ->
           d_step { seen = 0; seenRequests = 0 };
end_parked: isWriterWoken
        fi
     od
     } unless { isKilled };
     d_step {
       isKilled = 0; isSyncing = 0; isSyncOver = 0;
       seen = 0; requestsSeen = 0; last = 0; seenRequests = 0; isFound = 0; isWanted = 0; isDirty = 0
     }
  od
}

active proctype killer() {
  do :: deaths < DEATHS -> d_step { deaths++; isKilled = 1 }; (!isKilled) :: break od
}

init {
  atomic { run flusher(0, 1); run flusher(1, LEVELS - 1) };
  timeout;
  assert(isProduced && flushed == 2);
  assert(file == M && written == M)
}
