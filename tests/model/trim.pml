/* SPDX-License-Identifier: MIT
 *
 * Claim: no message is dropped that a client still needs. One mailbox that keeps few messages, two
 * clients, and their acknowledgements: written later, by connections that overtake one another, and by a
 * program that has not noticed yet that its client polls elsewhere. Client 1 also polls without a cursor
 * at times, so that only its line in Redis counts. Waking is left out (wake.pml): a client that waits
 * simply gets the next message, or reads again.
 *
 * Checked when a client gets an answer (`deliver`):
 *   - the answer goes on from the client's position, or says exactly how many messages the client lost;
 *   - a live client loses messages only by the mailbox's cap;
 *   - without a cursor it is given no message that it was given so before, or had acknowledged to Redis;
 * and always: no line of `clients` is ahead of its client's messages, except those given without a
 * cursor; if nothing moves any more, every client has everything up to the newest message (`Rest`).
 *
 * A client that gives its cursor, and then none, may be given again the message that it has just
 * acknowledged: that is not written yet.
 *
 * Compiled with one of these names defined, it must fail (see run): TRIM_FASTEST, ACK_AS_SENT,
 * NOTE_FOR_ALL, LOSS_UNTOLD, LATE_AS_GIVEN (the line is written as a message is given, not as the
 * client comes back with it), TAKES_BACK (a late line is written over a later one), BARE_LATE (the line
 * of a client without a cursor is written late, too).
 */
#ifndef MESSAGES
#define MESSAGES 4
#endif
#define CAP 2      /* --mailbox-max */
#define AT_ONCE 2  /* acknowledged messages that are dropped at once, by a push: 8 in push.lua */
#define LIMIT 2    /* messages in an answer */
#ifndef LOSSES
#define LOSSES 1   /* answers and acknowledgements that die with a program */
#endif
#ifndef ABSENCES
#define ABSENCES 1 /* times that a client stays away for longer than --client-life */
#endif
#ifndef MOVES
#define MOVES 0    /* times that client 1 polls elsewhere, and its program does not notice */
#endif
#ifndef BARE
#define BARE 0     /* polls of client 1 without a cursor */
#endif
#define NONE 15

/* --- Redis ------------------------------------------------------------------------------------ */

byte base;           /* messages that have left the front of unacked */
byte newest;         /* base + LLEN of unacked */
byte line[2] = NONE; /* clients: SEQ of a client's line */
bit live[2];         /* ... and whether its SEEN is recent */

/* --- on its way --------------------------------------------------------------------------------- */

byte astray = NONE;      /* what client 1 has acknowledged to a program that still holds a poll of it */
byte hset[2] = NONE;     /* Store::acknowledge */
bit hset_newer[2];       /* ... and whether it was sent after the note that is on its way */
byte note[2] = NONE;     /* a note of Room::tick or Room::leave */
bit late[2];             /* ... and whether SEEN of the client's line is newer than the note */

/* --- the clients -------------------------------------------------------------------------------- */

mtype = { idle, answered, waiting }
mtype state[2] = idle;
byte cursor[2];      /* what it has; 0 before its first answer */
byte start[2], missed[2], count[2]; /* the Reading on its way */

byte losses = LOSSES, absences = ABSENCES;
byte dropped;        /* the newest message that the cap has driven out */
byte kept[2];        /* what Redis was told that it has: its line is to stand there */
bit bare[2];         /* its poll gives no cursor */
bit forfeited;       /* an answer was lost that was given without a cursor: it is not given again */
byte moves = MOVES, bares = BARE;
bit was_away[2];     /* since its last answer, for so long that nobody had to wait for it */

byte b, at, bound, own; /* of steps, put back to 0 by each */

#define met(c) (cursor[c] > 0)
#define other(c) (1 - (c))
#define holds(c) (line[c] != NONE && live[c])

/* The content of c's line when `told` is written there late. */
#ifdef TAKES_BACK
#define later(c, told) (told)
#else
#define later(c, told) (line[c] == NONE || line[c] < (told) -> (told) : line[c])
#endif

/* --- what Redis does ---------------------------------------------------------------------------- */

#define lesser(x, y) ((x) < (y) -> (x) : (y))
#define larger(x, y) ((x) > (y) -> (x) : (y))
#ifdef TRIM_FASTEST
#define slower larger
#else
#define slower lesser
#endif

/* push.lua: the message goes in, and the messages that every live client has are dropped. */
inline push() {
  newest++;
  if
  :: newest - base > 1 ->
    if
    :: holds(0) && holds(1) -> bound = slower(line[0], line[1])
    :: holds(0) && !holds(1) -> bound = line[0]
    :: !holds(0) && holds(1) -> bound = line[1]
    :: else -> bound = base
    fi;
    b = (bound > base -> lesser(bound - base, newest - base - 1) : 0); /* acknowledged */
    if
    :: b >= AT_ONCE -> base = base + b; b = 0
    :: else
    fi;
    if
    :: newest - base - b > CAP -> base = newest - CAP; dropped = base
    :: else
    fi
  :: else
  fi;
  b = 0; bound = 0
}

/* read.lua, for client c at position `after`, with a limit, or 0 for a note. */
inline read_lua(c, after, limit) {
  assert(!bare[c] || limit == 0 || kept[c] == 0 || line[c] >= kept[c]);
  b = base; /* messages that all live clients have count as dropped */
  if
  :: holds(0) && holds(1) -> b = larger(base, slower(line[0], line[1]))
  :: holds(0) && !holds(1) -> b = larger(base, line[0])
  :: !holds(0) && holds(1) -> b = larger(base, line[1])
  :: else
  fi;
  b = lesser(b, newest);
  at = (after == 0 || after < b -> b : after);
  if
  :: limit > 0 ->
    start[c] = at;
#ifndef LOSS_UNTOLD
    missed[c] = (after == 0 -> 0 : at - after);
#endif
    count[c] = lesser(limit, newest - at);
  :: else
  fi;
  if
  :: limit > 0 || !late[c] ->
#ifdef ACK_AS_SENT
    at = at + count[c];
#endif
    if
    :: limit > 0 && bare[c] ->
      kept[c] = at + count[c];
#ifndef BARE_LATE
      at = at + count[c];
#endif
    :: limit > 0 && !bare[c] -> kept[c] = at
    :: else -> at = later(c, at); kept[c] = larger(kept[c], at)
    fi;
    line[c] = at;
    live[c] = 1;
    late[c] = (note[c] != NONE && limit > 0);
    bound = (holds(other(c)) -> slower(at, line[other(c)]) : at);
    base = larger(b, bound)
  :: else -> base = b
  fi;
  b = 0; at = 0; bound = 0
}

/* note.lua, and its part that it leaves to read.lua. */
inline note_lua(c) {
  if
  :: late[c] || note[c] > newest -> read_lua(c, note[c], 0)
  :: else ->
    line[c] = later(c, note[c]);
    kept[c] = larger(kept[c], note[c]);
    live[c] = 1;
    if
#ifndef NOTE_FOR_ALL
    :: line[other(c)] != NONE -> read_lua(c, note[c], 0)
#endif
    :: else -> base = larger(base, line[c])
    fi
  fi;
  note[c] = NONE;
  late[c] = 0;
  hset_newer[c] = 0
}

/* The acknowledgement of a client that was parked without a read. */
inline hset_lua(c) {
  line[c] = later(c, hset[c]);
  kept[c] = larger(kept[c], hset[c]);
  late[c] = hset_newer[c];
  hset[c] = NONE;
  hset_newer[c] = 0
}

/* The client's program sends the acknowledgement that it owes. */
inline send(c, told) {
  hset[c] = told;
  hset_newer[c] = (note[c] != NONE)
}

inline as_given(c) {
#ifdef LATE_AS_GIVEN
  if :: hset[c] == NONE -> send(c, cursor[c] + 1) :: else fi
#else
  skip
#endif
}

/* --- who acts ------------------------------------------------------------------------------------- */

/* An answer with `n` messages after `from`, and `lost` that it reports as missed. */
inline deliver(c, from, n, lost) {
  assert(from == cursor[c] + lost || !met(c) || bare[c]);
  assert(lost == 0 || from <= dropped || was_away[c] || forfeited);
  cursor[c] = larger(cursor[c], from + n);
  was_away[c] = 0
}

inline settle(c) {
  state[c] = idle;
  bare[c] = 0;
  start[c] = 0; missed[c] = 0; count[c] = 0
}

active proctype Pusher() {
end:
  do
  :: atomic { newest < MESSAGES -> push() }
  od
}

proctype Client(byte c) {
end:
  do
  /* The client comes, and its poll reads. */
  :: atomic { state[c] == idle && (!met(c) || cursor[c] < newest) ->
       read_lua(c, cursor[c], LIMIT);
       state[c] = answered
     }
  :: atomic { state[c] == answered -> deliver(c, start[c], count[c], missed[c]); settle(c) }
  :: atomic { state[c] == answered && losses ->
       losses--;
       forfeited = forfeited || bare[c];
       settle(c)
     }
  /* The client comes without a cursor. */
  :: atomic { bares && c == 1 && state[c] == idle ->
       bares--;
       bare[c] = 1;
       own = (line[c] != NONE -> line[c] : 0);
       read_lua(c, own, LIMIT);
       own = 0;
       state[c] = answered
     }
  /* The client comes, and has everything that its program knows of. */
  :: atomic { state[c] == idle && live[c] && !was_away[c] && cursor[c] > 0 && newest < MESSAGES ->
       state[c] = waiting
     }
  /* Its program writes that while the client waits, sooner or later, or not at all. */
  :: atomic { state[c] == waiting && line[c] < cursor[c] && hset[c] == NONE -> send(c, cursor[c]) }
  /* The client polls elsewhere. Its program goes on holding the poll, and notes it as gone some day. */
  :: atomic { moves && c == 1 && state[c] == waiting ->
       moves--;
       astray = cursor[c];
       settle(c)
     }
  :: atomic { c == 1 && astray != NONE && hset[c] == NONE -> send(c, astray); astray = NONE }
  :: atomic { c == 1 && astray != NONE && note[c] == NONE -> note[c] = astray; astray = NONE }
  /* The client waits: the next message comes with its ring, or a bell makes it read. */
  :: atomic { state[c] == waiting && newest > cursor[c] ->
       as_given(c);
       deliver(c, cursor[c], 1, 0);
       settle(c)
     }
  :: atomic { state[c] == waiting && newest > cursor[c] && losses ->
       as_given(c);
       losses--;
       settle(c)
     }
  :: atomic { state[c] == waiting && newest > cursor[c] ->
       read_lua(c, cursor[c], LIMIT);
       state[c] = answered
     }
  /* The client is noted as away. */
  :: atomic { state[c] == idle && cursor[c] > 0 && !was_away[c] && note[c] == NONE -> note[c] = cursor[c] }
  od
}

/* Acknowledgements and notes on their way, in any order, and some of them lost. */
proctype Wire(byte c) {
end:
  do
  :: atomic { hset[c] != NONE -> hset_lua(c) }
  :: atomic { note[c] != NONE -> note_lua(c) }
  :: atomic { hset[c] != NONE && losses -> losses--; hset[c] = NONE; hset_newer[c] = 0 }
  od
}

/* A client stays away so long that it is forgotten; nothing of it is on its way then. */
active proctype Absence() {
end:
  do
  :: atomic { absences && state[1] == idle && live[1] && note[1] == NONE && hset[1] == NONE &&
              astray == NONE ->
       absences--;
       live[1] = 0;
       was_away[1] = 1
     }
  :: absences -> absences = 0
  od
}

#define ahead(c) \
  (line[c] != NONE && met(c) && line[c] > larger(cursor[c], dropped) && !was_away[c] && \
   (c == 0 || BARE == 0))

active proctype Lines() {
end:
  do
  :: atomic { ahead(0) || ahead(1) -> assert(false) }
  od
}

/* Nothing moves any more. */
active proctype Rest() {
  timeout -> assert(newest == MESSAGES && (cursor[0] == newest || state[0] == waiting) &&
                    (cursor[1] == newest || state[1] == waiting));
  assert(cursor[0] == newest && cursor[1] == newest)
}

init {
  atomic { run Client(0); run Client(1); run Wire(0); run Wire(1) }
}
