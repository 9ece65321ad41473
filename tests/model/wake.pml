/* SPDX-License-Identifier: MIT
 *
 * Is everybody woken? One mailbox, two programs that know nothing of each other, two clients that
 * come to either of them, a few messages. What is not here: the trimming of messages (trim.pml),
 * raw elements, limits, timeouts of polls (so whoever is not woken sleeps for ever), Redis away.
 *
 * Each step below is one script of Redis, or what a program does in one go under its mutex. What
 * lies between two steps is on its way through sockets, and may take any time; what one process
 * here has sent may overtake what another one has, as by the connections of several workers.
 *
 * Checked:
 *   - when a ring is popped, no later message was pushed without ringing after it (`take`);
 *   - where nothing moves any more, nobody sleeps beside an unread message (`Rest`);
 *   - nor does anybody where things move for ever, as bells do that are handed to and fro
 *     (the formula `woken`, with weak fairness).
 *
 * Compiled with one of these names defined, it must fail (see run): NO_SECOND_LOOK, ONE_BELL,
 * NO_HANDING_ON; RINGS_KEPT and FRESH_NOTE, which are how it was before this model.
 *
 * A program that dies with a bell of the other one in its hands takes it along (`orphaned`): that
 * poll hears with the next push or when its time is up, which is not asked for here.
 */
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef IN_A_ROW
#define IN_A_ROW 2 /* rings that hang untaken; push.lua has 8 */
#endif
#ifndef LEAVES
#define LEAVES 0 /* times that a client breaks off its poll */
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef INTERRUPTS
#define INTERRUPTS 0 /* times that a lane has mail for somebody else, or its BLPOP runs out */
#endif
#define LIST 8
#define NOBODY 2   /* in the place of a program */
#define NOTHING 15 /* in the place of an element */

/* An element of the list: the ring of message k is k. A bell is BELL and how often it was handed
 * on, which stands for the age by which Room::pass_on gives it up (kPassOnMs). */
#define BELL 8
#define OLD (BELL + 2)
#define is_bell(e) ((e) >= BELL && (e) <= OLD)

/* --- Redis ------------------------------------------------------------------------------------ */

byte newest;             /* base + LLEN of unacked; message k stands there for every k up to it */
byte list[LIST] = NOTHING;  /* mailbox:{alice} */
byte length;
bit noted[2];            /* base: WATCHER UNTIL, not yet run out */
bit parked[2];           /* clients: PARKED of a client's line */
byte first = NOBODY, second = NOBODY; /* whose BLPOP has waited longest */

/* --- between Redis and the programs ------------------------------------------------------------ */

bit asked[2];                /* a program's BLPOP is at work, or its reply on its way */
byte hand[2] = NOTHING;      /* ... the reply */

/* A note of Room::leave on its way: its program + 1, whether it renews the watch, and whether
 * something that the same client, or another one, sent later has already arrived. */
byte leaving[2];
bit leaves_watch[2], overtaken[2];
byte renewing[2];            /* Room::acknowledge or a note of a client that parks without reading */
bit renews_watch[2];

/* --- the programs: Room ------------------------------------------------------------------------ */

bit dead[2];
bit watched[2];              /* Mailbox::watched: the lane is told to listen */
bit current[2];
byte known[2];
byte bell[2] = NOTHING;      /* Mailbox::bell */
bit company[2];              /* Mailbox::shared */
bit asks_whose[2];           /* find_out_whose is due */
byte handing[2] = NOTHING;   /* pass_on is due, or Store::ring of what came for nobody */
bit member[4];               /* [program * 2 + client]: Room::Client, with a poll or warm */
bit written[4];              /* Client::written */

#define here(p) (member[(p) * 2] || member[(p) * 2 + 1])
#define other(x) (1 - (x))

/* --- the clients -------------------------------------------------------------------------------- */

mtype = { away, reading, read, waiting }
mtype state[2] = away;
byte at[2] = NOBODY;         /* at which program */
byte cursor[2];
bit disturbed[2];            /* Mailbox::rings != Poll::rings_seen */
byte found[2];               /* the Reading: newest */
bit shared[2];               /* the Reading: shared */

byte crashes = CRASHES, departures = LEAVES, interrupts = INTERRUPTS;
bit orphaned;                /* a program died with an element in its hands: see `Fate` */

#define asks(p) ((at[0] == p && state[0] != away) || (at[1] == p && state[1] != away))
/* A program that has not heard of the newest message, or has somebody who lacks it. */
#define needs(p) \
  ((current[p] && known[p] < newest) || (at[0] == p && cursor[0] < newest) || \
   (at[1] == p && cursor[1] < newest))
#define sleeps(c) (state[c] == waiting && cursor[c] < newest && !orphaned)

byte i, rings, bells, watching, ring; /* of steps, put back to 0 by each */

/* --- what Redis does ---------------------------------------------------------------------------- */

inline rpush(element) {
  assert(length < LIST);
  list[length] = element;
  length++
}

/* The head of the list, to program p. */
inline take(p) {
  hand[p] = list[0];
  i = 0;
  do
  :: i + 1 < length -> list[i] = list[i + 1]; i++
  :: else -> break
  od;
  i = 0;
  length--;
  list[length] = NOTHING;
  assert(is_bell(hand[p]) || hand[p] == newest || length > 0)
}

/* After every step: Redis serves the BLPOP that has waited longest. */
inline serve() {
  do
  :: length > 0 && first != NOBODY ->
    take(first);
    first = second;
    second = NOBODY
  :: else -> break
  od
}

/* push.lua, from where it has appended the message. */
inline push() {
  newest++;
  watching = noted[0] + noted[1];
  /* A message that is too long for a ring hangs a bell. */
  if
  :: ring = newest
  :: ring = BELL
  fi;
  do
  :: i < length ->
    if
    :: is_bell(list[i]) -> bells++
    :: else -> rings++
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  if
  :: watching == 1 && ring != BELL && (length == 0 || (bells == 0 && rings < IN_A_ROW)) ->
    rpush(ring)
  :: else ->
    if
    :: length == 0 && watching < 2 -> rpush(ring)
    :: else ->
      if
      :: rings > 0 && bells == 0 -> list[length - 1] = BELL; bells = 1
      :: else
      fi;
#ifdef ONE_BELL
      watching = 1;
#endif
      do
      :: bells < watching || bells < 1 -> rpush(BELL); bells++
      :: else -> break
      od
    fi
  fi;
  rings = 0; bells = 0; watching = 0; ring = 0;
  serve()
}

/* read.lua, with a limit. */
inline read_lua(c) {
  noted[at[c]] = 1;
  found[c] = newest;
  shared[c] = noted[other(at[c])];
  parked[c] = (newest == cursor[c]);
  if :: leaving[c] -> overtaken[c] = 1 :: else fi
}

/* note.lua, and read.lua with a limit of 0, of a client that has left. */
inline note_lua(c) {
  if
  :: leaves_watch[c] -> noted[leaving[c] - 1] = 1
#ifdef FRESH_NOTE
  /* Where note.lua finds it late, read.lua is called with a time of its own, later than all. */
  :: !leaves_watch[c] && !parked[other(c)] -> noted[leaving[c] - 1] = 0; parked[c] = 0
  :: !leaves_watch[c] && parked[other(c)] -> parked[c] = 0
#else
  :: !leaves_watch[c] && !overtaken[c] && !parked[other(c)] -> noted[leaving[c] - 1] = 0
  :: else
#endif
  fi;
#ifndef FRESH_NOTE
  if :: !overtaken[c] -> parked[c] = 0 :: else fi;
#endif
  leaving[c] = 0; leaves_watch[c] = 0; overtaken[c] = 0
}

/* What Room::acknowledge or a note writes of a client that was parked without a read. */
inline renew(c) {
  parked[c] = 1;
  if :: renews_watch[c] -> noted[renewing[c] - 1] = 1 :: else fi;
  if :: leaving[c] -> overtaken[c] = 1 :: else fi;
  renewing[c] = 0;
  renews_watch[c] = 0
}

/* --- what a program does: Room -------------------------------------------------------------------- */

inline leave_poll(c) {
  state[c] = away;
  at[c] = NOBODY;
  disturbed[c] = 0;
  found[c] = 0;
  shared[c] = 0
}

/* Room::end with Reason::messages: the client has everything up to `upto`. */
inline answer(c, upto) {
  assert(upto > cursor[c]);
  cursor[c] = upto;
  leave_poll(c)
}

/* Room::forget */
inline forget(p, c) {
  member[(p) * 2 + (c)] = 0;
  written[(p) * 2 + (c)] = 0;
  if
  :: !here(p) ->
    watched[p] = 0; current[p] = 0; known[p] = 0; bell[p] = NOTHING; company[p] = 0;
    asks_whose[p] = 0
  :: else
  fi
}

/* To be hung in Redis, once it gets there. Of several at a time one remains, which makes it harder. */
inline ring_again(p, element) {
  if
  :: handing[p] > (element) -> handing[p] = (element)
  :: else
  fi
}

/* What came for nobody here: the bell, or one in the place of a ring. */
inline ring_bell(p) {
  if
  :: is_bell(ring) -> ring_again(p, ring)
  :: else -> ring_again(p, BELL)
  fi
}

/* Room::pass_on. Given up when it is old: after two seconds, which are taken to be enough for whoever
 * it was for to get it. That is the only thing here that rests on a clock. */
inline pass_on(p, element) {
#ifdef NO_HANDING_ON
  skip
#else
  if
  :: (element) < OLD -> ring_again(p, (element) + 1)
  :: (element) == OLD && needs(other(p)) -> ring_again(p, OLD)
  :: else
  fi
#endif
}

/* Room::enter */
inline enter(c, p) {
  at[c] = p;
  member[(p) * 2 + c] = 1;
  if
  :: current[p] && known[p] == cursor[c] ->
    state[c] = waiting;
    watched[p] = 1;
    renewing[c] = p + 1;
    renews_watch[c] = renews_watch[c] || !written[(p) * 2 + c];
    written[(p) * 2 + c] = 1
  :: else ->
    state[c] = reading
  fi
}

/* Room::read_done and go_on, at program p. */
inline read_done(c, p) {
  if
  :: !disturbed[c] -> current[p] = 1; known[p] = found[c]
  :: else
  fi;
  company[p] = shared[c];
  if
  :: bell[p] != NOTHING && (!disturbed[c] || found[c] > cursor[c]) ->
    ring = bell[p];
    bell[p] = NOTHING;
    if
    :: found[c] == cursor[c] && shared[c] -> pass_on(p, ring)
    :: else
    fi;
    ring = 0
  :: else
  fi;
  written[p * 2 + c] = (found[c] == cursor[c]);
  if
  :: found[c] > cursor[c] -> answer(c, found[c])
#ifndef NO_SECOND_LOOK
  :: found[c] == cursor[c] && disturbed[c] -> state[c] = reading
#endif
  :: else -> state[c] = waiting; watched[p] = 1
  fi;
  disturbed[c] = 0; found[c] = 0; shared[c] = 0
}

/* Room::ring_client, with `ring`. */
inline ring_client(p, c) {
  if
  :: at[c] == p && (state[c] == reading || state[c] == read) -> disturbed[c] = 1
  :: at[c] == p && state[c] == waiting ->
    if
    :: !is_bell(ring) && ring <= cursor[c]
    :: ring == cursor[c] + 1 -> answer(c, ring)
    :: else -> state[c] = reading
    fi
  :: else
  fi
}

/* Room::rung, with what its lane has taken. */
inline rung(p) {
  ring = hand[p];
  hand[p] = NOTHING;
  asked[p] = 0;
  if
#ifdef RINGS_KEPT
  :: !here(p) -> ring_bell(p)
  :: here(p) && is_bell(ring) && bell[p] != NOTHING -> pass_on(p, ring)
  :: here(p) && is_bell(ring) && bell[p] == NOTHING -> bell[p] = ring; asks_whose[p] = !asks(p)
#else
  :: !watched[p] -> ring_bell(p)
  :: watched[p] && !is_bell(ring) && ring <= known[p] && company[p] -> pass_on(p, BELL)
  :: watched[p] && is_bell(ring) && bell[p] != NOTHING -> pass_on(p, ring)
  :: watched[p] && is_bell(ring) && bell[p] == NOTHING -> bell[p] = ring; asks_whose[p] = !asks(p)
#endif
  :: else
  fi;
  if
  :: here(p) && is_bell(ring) -> current[p] = 0
  :: here(p) && !is_bell(ring) && ring >= known[p] -> current[p] = 1; known[p] = ring
  :: else
  fi;
  ring_client(p, 0);
  ring_client(p, 1);
  ring = 0
}

/* Room::find_out_whose: a bell came while nobody asks here. */
inline find_out_whose(p) {
  asks_whose[p] = 0;
  if
  :: here(p) && bell[p] != NOTHING && !asks(p) ->
    noted[p] = 1;
    if
    :: noted[other(p)] -> ring = bell[p]; pass_on(p, ring); ring = 0
    :: else -> bell[p] = NOTHING
    fi
  :: else
  fi
}

/* Room::leave, and the note it sends. */
inline leave(c, p) {
  leave_poll(c);
  forget(p, c);
  leaving[c] = p + 1;
  leaves_watch[c] = here(p)
}

/* A BLPOP ends without anything. */
inline unblock(p) {
  if
  :: first == p -> first = second; second = NOBODY
  :: second == p -> second = NOBODY
  :: else
  fi;
  asked[p] = 0
}

/* SIGKILL. What it held in its hands is gone; its watch stays noted until it runs out. */
inline die(p) {
  orphaned = noted[other(p)] &&
             (hand[p] != NOTHING || handing[p] != NOTHING || asks_whose[p] || bell[p] != NOTHING);
  dead[p] = 1;
  unblock(p);
  hand[p] = NOTHING; handing[p] = NOTHING;
  if :: at[0] == p -> leave_poll(0) :: else fi;
  if :: at[1] == p -> leave_poll(1) :: else fi;
  forget(p, 0);
  forget(p, 1)
}

/* --- who acts ------------------------------------------------------------------------------------- */

#define blocked(p) (first == p || second == p)

active proctype Pusher() {
end:
  do
  :: atomic { newest < MESSAGES -> push() }
  od
}

/* A client, and what its poll goes through. */
proctype Client(byte c) {
end:
  do
  :: atomic { state[c] == away && !dead[0] -> enter(c, 0) }
  :: atomic { state[c] == away && !dead[1] -> enter(c, 1) }
  :: atomic { state[c] == reading -> state[c] = read; read_lua(c) }
  :: atomic { state[c] == read && at[c] == 0 -> read_done(c, 0) }
  :: atomic { state[c] == read && at[c] == 1 -> read_done(c, 1) }
  od
}

/* Notes on their way. */
proctype Wire(byte c) {
end:
  do
  :: atomic { renewing[c] -> renew(c) }
  :: atomic { leaving[c] -> note_lua(c) }
  od
}

/* Lane::ask, and Lane::answered. */
proctype Lane(byte p) {
end:
  do
  :: atomic {
       watched[p] && !asked[p] && !dead[p] ->
       asked[p] = 1;
       if
       :: length > 0 -> take(p)
       :: length == 0 && first == NOBODY -> first = p
       :: else -> second = p
       fi
     }
  :: atomic { hand[p] != NOTHING -> rung(p) }
  od
}

/* What a program does by and by. */
proctype Later(byte p) {
end:
  do
  :: atomic {
       handing[p] != NOTHING ->
       rpush(handing[p]);
       handing[p] = NOTHING;
       serve()
     }
  :: atomic { asks_whose[p] -> find_out_whose(p) }
  od
}

/* What happens, or does not: a client breaks off, a program dies, a lane has other mail. */
active proctype Fate() {
end:
  do
  :: atomic { departures && state[0] == waiting && !renewing[0] && !renewing[1] ->
       departures--;
       if
       :: at[0] == 0 -> leave(0, 0)
       :: else -> leave(0, 1)
       fi
     }
  :: departures -> departures = 0
  :: atomic { crashes -> crashes--; die(0) }
  :: crashes -> crashes = 0
  :: atomic { interrupts && blocked(0) -> interrupts--; unblock(0) }
  :: atomic { interrupts && blocked(1) -> interrupts--; unblock(1) }
  :: interrupts -> interrupts = 0
  od
}

/* What time brings: clients that do not come back are forgotten (kWarmMs), and where a program has
 * none the note of its watch runs out, and its lane leaves the mailbox out when it next asks. */
proctype Time(byte p) {
end:
  do
  :: atomic { member[p * 2] && at[0] != p && !asks_whose[p] -> forget(p, 0) }
  :: atomic { member[p * 2 + 1] && at[1] != p && !asks_whose[p] -> forget(p, 1) }
  :: atomic { noted[p] && !here(p) && renewing[0] != p + 1 && renewing[1] != p + 1 -> noted[p] = 0 }
  :: atomic { !watched[p] && blocked(p) -> unblock(p) }
  od
}

/* Where nothing moves any more. */
active proctype Rest() {
  timeout -> assert(!sleeps(0) && !sleeps(1))
}

init {
  atomic {
    run Client(0); run Client(1);
    run Wire(0); run Wire(1);
    run Lane(0); run Lane(1);
    run Later(0); run Later(1);
    run Time(0); run Time(1)
  }
}

ltl woken { ([]<> !sleeps(0)) && ([]<> !sleeps(1)) }
