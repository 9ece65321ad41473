/* SPDX-License-Identifier: MIT
 *
 * Claim: every poll is answered. One mailbox; two programs that hold polls, each with an address at
 * which it is rung; two clients that come to either; a few messages. Program 0 also pushes, and hands
 * its own messages to its polls itself. A separate pusher pushes as well.
 *
 * Each step below is one script of Redis, or what a program does at once under its mutex. Messages
 * between two steps are on their way through sockets, and may take any time; those of one connection
 * may overtake those of another one.
 *
 * These events may happen, each as often as it is defined below: a program dies; a client breaks off
 * its poll; a client stays away until it is noted so; a poll comes that does not wait; a connection is
 * lost with whatever it carries, before Redis has carried that out or after; Redis restarts, without
 * its addresses, and with or without its notes; a program stands still for minutes; an answer is lost
 * between a program and its client. An event that is defined need not happen, but a run that ends
 * without it is only checked if it is not defined: `run` also goes through the model without any.
 * To bound the number of states, client 1 stays with program 0 (HOME=0) or does not come at all
 * (CLIENTS=1, as when Redis restarts) with some events, or program 0 does not push (APART).
 *
 * Checked:
 *   - a client is given each message once, in their order (`answer`);
 *   - if nothing moves any more, no client waits though there is a message after its cursor (`Rest`).
 *     No clock helps: polls have no end here, and no mailbox is looked at now and then;
 *   - nor does any if things move for ever (the formula `woken`, with weak fairness).
 *
 * Assumed:
 *   - messages stay in the list until they are acknowledged (trim.pml), also if another Redis takes
 *     over (fork.pml);
 *   - a connection that a program has given up carries nothing out once the program has looked at what
 *     it may have missed (GHOST_PUSH and GHOST_TAKE show the failure otherwise);
 *   - while a client waits, the note of its program's watch does not run out, unless it was a short
 *     one when the client came, and its renewal was lost;
 *   - a program that has not asked Redis for minutes knows that by its own clock.
 *
 * In a Redis Cluster the Redis of this model is the part that has the mailbox, with the part's own
 * address of each program. Assumed there, and why:
 *   - each script has all of its keys in one slot, and is refused as a whole while the slot moves
 *     (the guard that embed-lua puts in front); so it is one step there too, possibly a later one;
 *   - a slot that has moved is a connection that was lost: the old node answers MOVED, and the address
 *     is asked at the new node, where its list is, since it moved with the slot. A replica that was
 *     promoted is a Redis that was restarted without its addresses. Either way the program looks at all
 *     mailboxes of the part once its address is connected again (Listener::up_again);
 *   - a program that sends a command to a node which has not got the slot any more is refused, and
 *     sends it again: nothing was carried out. If the node does not answer at all, it may have been.
 *
 * With OLD defined, program 1 is of the version before addresses: it listens to the user's own list
 * alone, and looks by its own clock if it knows that it has company. Then the check is that clients
 * that wait at program 0 are answered; those at program 1 may wait to the end of their time. With
 * OLD_PUSHER all pushes come by a program of that version: that is right for one program that holds
 * polls (ALONE), not for two.
 *
 * Compiled with one of the mistakes that `run` lists, it must fail.
 */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef LEAVES
#define LEAVES 0    /* times that a client breaks off its poll */
#endif
#ifndef LAPSES
#define LAPSES 0    /* ... that it is noted as away, and its program's watch as a short one */
#endif
#ifndef GLANCES
#define GLANCES 0   /* polls that do not wait */
#endif
#ifndef DEATHS
#define DEATHS 0    /* of programs, by SIGKILL */
#endif
#ifndef LOSSES
#define LOSSES 0    /* of connections, and of answers on their way to a client (NOTES_ONLY: of notes) */
#endif
#ifndef RESTARTS
#define RESTARTS 0  /* of Redis */
#endif
#ifndef STANDSTILLS
#define STANDSTILLS 0
#endif
#ifndef ADDRESS
#define ADDRESS 3   /* elements an address may hold; push.lua has 4096 */
#endif

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef HOME
#define HOME 2      /* the program at which client 1 stays, if it does */
#endif

#define NOBODY 2    /* in the place of a program */
#define NOTHING 15  /* in the place of an element */

/* An element, of an address or of the user's list: the ring of message k is k. */
#define BELL 8      /* there is something: the list is to be read */
#define TWO_BELLS 9 /* as a pusher of the old version hangs them */
#define EVERYTHING 10 /* look at everything */

/* --- Redis ------------------------------------------------------------------------------------ */

byte newest;                /* message k stands in the list for every k up to it */
byte hung = NOTHING;        /* mailbox:{alice} */
bit watch[2];               /* base: ` @ID UNTIL`, not yet run out */
bit brief[2];               /* ... it is a short one */
bit parked[2];              /* clients: PARKED of a client's line */
chan address[2] = [ADDRESS] of { byte };

/* --- between Redis and the programs ------------------------------------------------------------ */

chan handed[2] = [ADDRESS] of { byte }; /* what a program has taken off its address */
byte fetched[2] = NOTHING;  /* what its quiet lane has taken out of the user's list */
bit away[2];                /* the connection to its address is lost, and not yet back */
bit lane_away[2];           /* ... its lane's */
bit sent;                   /* program 0's push */
bit own[MESSAGES + 1];      /* its answers on their way: watched here */

/* A note of Room::leave: its program + 1, whether it renews the watch, whether something that the
 * same client has sent later was there first; and, its program + 1, its answer. */
byte leaving[2];
bit leaves_watch[2], overtaken[2];
byte left[2];
byte renewing[2];           /* the note of a client that parks without reading: its program + 1 */
bit unrenewed[2];           /* ... it was lost, and with it the renewal of a short watch */

/* --- the programs: Room ------------------------------------------------------------------------ */

bit dead[2];
bit current[2];
byte known[2];
bit watched[2];             /* Mailbox::watched: the lane listens */
bit to_look_at[2];
bit still[2];               /* it has not asked for minutes */
bit member[4];              /* [program * 2 + client]: Room::Client, with a poll or warm */
bit company;                /* OLD: program 1 knows that it is not alone */

#define here(p) (member[(p) * 2] || member[(p) * 2 + 1])
#define other(x) (1 - (x))

/* --- the clients -------------------------------------------------------------------------------- */

mtype = { idle, reading, read, waiting }
mtype state[2] = idle;
byte at[2] = NOBODY;        /* at which program */
byte cursor[2];
bit glances[2];             /* its poll does not wait */
bit disturbed[2];           /* Mailbox::rings != Poll::rings_seen, or Look::rings_seen */
byte found[2];              /* the Reading, or the Glimpse: newest */
bit unwatched[2];           /* ... and whether it has noted, or found, no watch */
mtype = { none, asked, seen }
mtype look[2] = none;       /* at a parked poll: Look */

byte departures = LEAVES, lapses = LAPSES, looks = GLANCES, deaths = DEATHS, losses = LOSSES,
     restarts = RESTARTS, standstills = STANDSTILLS;

bit ghost_push, ghost_take; /* what a connection that was given up still carries out */

byte i, ring; /* of steps, put back to 0 by each */
bit told;

#ifdef OLD
#define sleeps(c) (state[c] == waiting && cursor[c] < newest && at[c] == 0)
#else
#define sleeps(c) (state[c] == waiting && cursor[c] < newest)
#endif

/* --- what Redis does ---------------------------------------------------------------------------- */

inline empty_out(queue) {
  do
  :: nempty(queue) -> queue?_
  :: empty(queue) -> break
  od
}

/* push.lua, ring_at */
inline ring_at(p) {
  if
  :: full(address[p]) -> empty_out(address[p]); address[p]!EVERYTHING
  :: nfull(address[p]) -> address[p]!ring
  fi
}

/* push.lua, hang */
inline hang() {
  if
  :: hung == NOTHING -> hung = ring
  :: else -> hung = BELL
  fi
}

/* push.lua, announce: watcher p, of a push by program `by`. */
#ifdef FIRST_IS_OWN
#define is_own(p, by) ((p) == 0)
#else
#define is_own(p, by) ((p) == (by))
#endif
#ifdef OLD
#define is_old(p) ((p) == 1)
#else
#define is_old(p) false
#endif
#ifdef OLD_ENDS_IT
#define passed_over(p) ((p) == 0 && watch[1])
#endif
#ifdef TELL_ONE
#define passed_over(p) told
#endif
#ifndef passed_over
#define passed_over(p) false
#endif

inline tell(p, by) {
  if
  :: !watch[p] || passed_over(p)
  :: watch[p] && !passed_over(p) && is_own(p, by) -> told = 1; own[newest] = (p == (by))
  :: watch[p] && !passed_over(p) && is_old(p) -> hang()
  :: watch[p] && !passed_over(p) && !is_own(p, by) && !is_old(p) -> told = 1; ring_at(p)
  fi
}

/* A message that is too long for a ring has a bell instead. */
inline push(by) {
  newest++;
  ring = newest;
#ifdef LONG
  if
  :: true
  :: ring = BELL
  fi;
#endif
#ifdef OLD_PUSHER
  if
  :: watch[0] && watch[1] -> hung = TWO_BELLS
  :: else -> hang()
  fi;
#else
  tell(0, by);
  tell(1, by);
  if
  :: !told && !(watch[1] && is_old(1)) -> hang()
  :: else
  fi;
#endif
  told = 0;
  ring = 0
}

inline note_watch(p) {
  watch[p] = 1;
  brief[p] = 0;
  unrenewed[p] = 0
}

/* read.lua, with a limit. A poll that does not wait leaves the watch as it is. */
inline read_lua(c) {
  if
#ifdef NOTED_AFTER
  :: !unwatched[c]
#else
  :: !unwatched[c] -> note_watch(at[c])
#endif
#ifdef GLANCE_TAKES_WATCH
  :: unwatched[c] -> watch[at[c]] = 0
#else
  :: unwatched[c]
#endif
  fi;
  found[c] = newest;
#ifdef OLD
  if :: at[c] == 1 -> company = watch[0] :: else fi;
#endif
#if LEAVES + LAPSES > 0
  parked[c] = (newest == cursor[c] && !glances[c]);
#endif
  if :: leaving[c] -> overtaken[c] = 1 :: else fi
}

/* note.lua, and read.lua with a limit of 0, for a client that has left. */
inline note_lua(c) {
  if
  :: leaves_watch[c] -> note_watch(leaving[c] - 1)
  :: !leaves_watch[c] && !overtaken[c] && !parked[other(c)] ->
    watch[leaving[c] - 1] = 0; brief[leaving[c] - 1] = 0; unrenewed[leaving[c] - 1] = 0
  :: else
  fi;
  if :: !overtaken[c] -> parked[c] = 0 :: else fi;
  left[c] = leaving[c];
  leaving[c] = 0; leaves_watch[c] = 0; overtaken[c] = 0
}

/* The note of a client that was parked without a read. */
inline renew_lua(c) {
  parked[c] = 1;
  note_watch(renewing[c] - 1);
  if :: leaving[c] -> overtaken[c] = 1 :: else fi;
  renewing[c] = 0
}

/* --- what a program does: Room -------------------------------------------------------------------- */

inline leave_poll(c) {
  state[c] = idle;
  at[c] = NOBODY;
  glances[c] = 0;
  disturbed[c] = 0; found[c] = 0; unwatched[c] = 0;
  look[c] = none
}

/* Room::end with Reason::messages: the client has everything up to `upto`, unless its answer is lost. */
inline answer(c, upto) {
  assert(upto > cursor[c] && upto <= newest);
  if
  :: cursor[c] = upto
#ifndef NOTES_ONLY
  :: losses -> losses--
#endif
  fi;
  leave_poll(c)
}

/* The client's mailbox rang, or rings may have gone unheard. */
inline disturb(p) {
  if :: at[0] == p -> disturbed[0] = 1 :: else fi;
  if :: at[1] == p -> disturbed[1] = 1 :: else fi
}

/* Then `known` counts no more, except in a model with a mistake. */
inline not_current(p) {
  current[p] = 0;
#ifndef RING_IS_CURRENT
  known[p] = 0
#endif
}

/* Room::missed_rings */
inline missed_rings(p) {
  if
  :: here(p) -> disturb(p); not_current(p); to_look_at[p] = 1
  :: else
  fi
}

/* Room::forget */
inline forget(p, c) {
  member[(p) * 2 + (c)] = 0;
  if
  :: !here(p) -> current[p] = 0; known[p] = 0; watched[p] = 0; to_look_at[p] = 0
  :: else
  fi
}

inline read_again(c) {
  state[c] = reading;
  disturbed[c] = 0; found[c] = 0; unwatched[c] = 0;
  look[c] = none
}

inline park(c, p) {
  state[c] = waiting;
  watched[p] = 1;
  disturbed[c] = 0; found[c] = 0; unwatched[c] = 0
}

/* Room::enter */
inline enter(c, p) {
  at[c] = p;
  member[(p) * 2 + c] = 1;
  if
  :: current[p] && known[p] == cursor[c] ->
    park(c, p);
#if LEAVES + LAPSES > 0
    if :: !parked[c] || brief[p] -> renewing[c] = p + 1 :: else fi
#endif
  :: else -> read_again(c)
  fi
}

#ifdef KNOWN_THOUGH_RUNG
#define undisturbed(c) true
#else
#define undisturbed(c) (!disturbed[c])
#endif
#ifdef GLANCE_IS_CURRENT
#define read_watches(c) true
#else
#define read_watches(c) (!unwatched[c])
#endif
#ifdef UNNOTED_IS_CURRENT
#define seen_watched(c) true
#else
#define seen_watched(c) (!unwatched[c])
#endif

/* Room::read_done and go_on, at program p. */
inline read_done(c, p) {
  if
  :: undisturbed(c) && read_watches(c) -> current[p] = 1; known[p] = found[c]
  :: else
  fi;
#ifdef NOTED_AFTER
  watch[p] = 1;
#endif
  if
  :: found[c] > cursor[c] -> answer(c, found[c])
  :: found[c] == cursor[c] && glances[c] -> leave_poll(c)
#ifndef NO_SECOND_LOOK
  :: found[c] == cursor[c] && !glances[c] && disturbed[c] -> read_again(c)
#endif
  :: else -> park(c, p)
  fi
}

/* Room::ring_client, with `ring`. */
inline ring_client(p, c) {
  if
  :: at[c] == p && state[c] == waiting ->
    if
    :: ring != BELL && ring <= cursor[c]
#ifdef LATER_AS_NEXT
    :: ring != BELL && ring > cursor[c] -> assert(ring == cursor[c] + 1); answer(c, ring)
#endif
    :: ring == cursor[c] + 1 -> assert(ring <= newest); answer(c, ring)
    :: else -> read_again(c)
    fi
  :: else
  fi
}

/* Room::rung. A ring moves `known` on; it does not make it good again. */
inline rung(p) {
  if
  :: here(p) ->
    disturb(p);
    if
    :: ring == BELL -> not_current(p)
#ifdef OLDER_IS_KNOWN
    :: ring != BELL && current[p] -> known[p] = ring
#endif
#ifdef RING_IS_CURRENT
    :: ring != BELL && ring >= known[p] -> current[p] = 1; known[p] = ring
#else
    :: ring != BELL && ring > known[p] && current[p] -> known[p] = ring
#endif
    :: else
    fi;
    ring_client(p, 0);
    ring_client(p, 1)
  :: else
  fi;
  ring = 0
}

/* Room::leave, and the note it sends. */
inline leave(c, p) {
  leave_poll(c);
  forget(p, c);
  leaving[c] = p + 1;
  leaves_watch[c] = here(p)
}

/* A client that is between two polls needs the watch as well: it may park without asking. */
#ifdef LEAVE_OF_WAITING
#define leave_matters(p) (at[0] == (p) || at[1] == (p))
#else
#define leave_matters(p) true
#endif

/* Such a note was answered, or its answer is lost. A client that has come since may have been rung nowhere. */
inline leave_done(c) {
#ifdef LEAVE_UNLOOKED
  skip;
#else
  if
  :: leave_matters(left[c] - 1) -> missed_rings(left[c] - 1)
  :: else
  fi;
#endif
  left[c] = 0
}

/* A note of a parked client is lost: Room::doubt. */
inline renewal_lost(c) {
  unrenewed[renewing[c] - 1] = brief[renewing[c] - 1];
#ifdef DOUBT_UNLOOKED
  not_current(renewing[c] - 1);
#else
  missed_rings(renewing[c] - 1);
#endif
  renewing[c] = 0
}

/* A read is lost. A poll that was parked before stays, and reads again; else the poll is refused, and
 * the client comes again. */
inline read_lost(c) {
  if
  :: not_current(at[c]); read_again(c)
  :: leave_poll(c)
  fi
}

/* Room::looked */
inline looked(c, p) {
  look[c] = none;
  if
  :: found[c] == cursor[c] && !disturbed[c] && seen_watched(c) ->
    current[p] = 1; known[p] = found[c];
    if :: unwatched[c] -> renewing[c] = p + 1 :: else fi;
    park(c, p)
  :: else -> read_again(c)
  fi
}

/* The answer of program 0's push is lost: RedisStore::took. */
inline push_lost() {
#ifndef NEVER_IN_DOUBT
  missed_rings(0)
#else
  skip
#endif
}

/* The connection by which a program pops from its address is lost, with everything that it carries. */
inline lose_address(p) {
  empty_out(handed[p]);
  away[p] = 1
}

/* Listener::up_again */
inline address_back(p) {
  away[p] = 0;
#ifndef LOSS_UNLOOKED
  missed_rings(p)
#endif
}

inline lose_lane(p) {
  fetched[p] = NOTHING;
  lane_away[p] = 1
}

inline lane_back(p) {
  lane_away[p] = 0;
#ifndef LANE_UNLOOKED
  if :: watched[p] -> missed_rings(p) :: else fi
#endif
}

/* SIGKILL. The program's watch stays noted until it runs out. */
inline die(p) {
  dead[p] = 1;
  lose_address(p);
  lose_lane(p);
  if :: p == 0 -> sent = 0; i = 0; do :: i <= MESSAGES -> own[i] = 0; i++ :: else -> break od; i = 0
  :: else
  fi;
  still[p] = 0;
  if :: at[0] == p -> leave_poll(0) :: else fi;
  if :: at[1] == p -> leave_poll(1) :: else fi;
  if :: left[0] == p + 1 -> left[0] = 0 :: else fi;
  if :: left[1] == p + 1 -> left[1] = 0 :: else fi;
  forget(p, 0);
  forget(p, 1)
}

/* Redis ends, and comes back without the keys that it never writes to its file, and perhaps without notes. */
inline restart_of(p) {
  empty_out(address[p]);
  lose_address(p);
  lose_lane(p);
  if
  :: watch[p] = 0; brief[p] = 0; unrenewed[p] = 0
  :: true
  fi
}

inline restart_for(c) {
  if :: state[c] == reading || state[c] == read -> read_lost(c) :: else fi;
  if :: look[c] != none -> look[c] = none; to_look_at[at[c]] = 1 :: else fi;
  if :: leaving[c] -> left[c] = leaving[c]; leaving[c] = 0; leaves_watch[c] = 0; overtaken[c] = 0
  :: else
  fi;
  if :: renewing[c] -> renewal_lost(c) :: else fi;
  parked[c] = 0
}

/* --- who acts ------------------------------------------------------------------------------------- */

active proctype Pusher() {
end:
  do
  :: atomic { newest < MESSAGES -> push(NOBODY) }
  od
}

#if !defined(OLD_PUSHER) && !defined(APART)
/* Program 0 pushes, and delivers itself the messages that its own polls wait for. Several pushes may be
 * on their way, by several workers, and their answers come in any order. */
active proctype Deliverer() {
end:
  do
#if LOSSES + RESTARTS == 0
  :: atomic { newest < MESSAGES && !dead[0] -> push(0) }
#else
  :: atomic { newest < MESSAGES && !sent && !dead[0] -> sent = 1 }
#endif
  :: atomic { sent && newest < MESSAGES -> sent = 0; push(0) }
  :: atomic { sent && newest == MESSAGES -> sent = 0 }
  :: atomic { own[1] -> own[1] = 0; ring = 1; rung(0) }
#if MESSAGES > 1
  :: atomic { own[2] -> own[2] = 0; ring = 2; rung(0) }
#endif
#if MESSAGES > 2
  :: atomic { own[3] -> own[3] = 0; ring = 3; rung(0) }
#endif
  od
}
#endif

#define goes(c, p) (!dead[p] && (c == 0 || HOME != 1 - (p) || dead[HOME]))

/* A client, and the states of its poll. */
proctype Client(byte c) {
end:
  do
  :: atomic { state[c] == idle && goes(c, 0) -> enter(c, 0) }
#ifndef ALONE
  :: atomic { state[c] == idle && goes(c, 1) -> enter(c, 1) }
#endif
  :: atomic { looks && state[c] == idle && !dead[0] ->
       looks--; at[c] = 0; glances[c] = 1; read_again(c); unwatched[c] = !member[other(c)]; member[c] = 1
     }
  :: atomic { state[c] == reading -> read_lua(c); state[c] = read }
  :: atomic { state[c] == read && at[c] == 0 -> read_done(c, 0) }
  :: atomic { state[c] == read && at[c] == 1 -> read_done(c, 1) }
  /* peek.lua: a watch that is about to run out is none. */
  :: atomic { look[c] == asked ->
       look[c] = seen;
       found[c] = newest;
       unwatched[c] = !watch[at[c]] || brief[at[c]]
     }
  :: atomic { look[c] == seen && at[c] == 0 -> looked(c, 0) }
  :: atomic { look[c] == seen && at[c] == 1 -> looked(c, 1) }
#ifdef OLD
  :: atomic { state[c] == waiting && at[c] == 1 && company && cursor[c] < newest -> read_again(c) }
#endif
  od
}

/* Notes on their way, and their answers. */
proctype Wire(byte c) {
end:
  do
  :: atomic { renewing[c] -> renew_lua(c) }
  :: atomic { leaving[c] -> note_lua(c) }
  :: atomic { left[c] -> leave_done(c) }
  od
}

#define parked_at(c, p) (at[c] == p && state[c] == waiting && look[c] == none)

/* A program: its address, its quiet lane, and the clients that it looks at. */
proctype Program(byte p) {
end:
  do
  :: atomic { nempty(address[p]) && empty(handed[p]) && !away[p] && !dead[p] && !still[p] ->
       do
       :: nempty(address[p]) -> address[p]?ring; handed[p]!ring
       :: empty(address[p]) -> break
       od;
       ring = 0
     }
  :: atomic { nempty(handed[p]) ->
       handed[p]?ring;
       if
       :: ring == EVERYTHING -> ring = 0;
#ifndef OVERFLOW_UNLOOKED
         missed_rings(p)
#endif
       :: else -> rung(p)
       fi
     }
  :: atomic { away[p] && !dead[p] -> address_back(p) }
  :: atomic { still[p] -> still[p] = 0;
#ifndef STANDSTILL_UNLOOKED
       missed_rings(p)
#endif
     }
  :: atomic { watched[p] && !lane_away[p] && hung != NOTHING && fetched[p] == NOTHING ->
       if
       :: hung == TWO_BELLS -> fetched[p] = BELL; hung = BELL
       :: else -> fetched[p] = hung; hung = NOTHING
       fi
     }
  :: atomic { fetched[p] != NOTHING -> ring = fetched[p]; fetched[p] = NOTHING;
#ifdef LIST_UNHEARD
       ring = 0
#else
       rung(p)
#endif
     }
  :: atomic { lane_away[p] && !dead[p] -> lane_back(p) }
  :: atomic { to_look_at[p] && look[0] == none && look[1] == none ->
       to_look_at[p] = 0;
       if :: parked_at(0, p) -> look[0] = asked; disturbed[0] = 0 :: else fi;
       if :: parked_at(1, p) -> look[1] = asked; disturbed[1] = 0 :: else fi
     }
  od
}

/* The events, each of which may happen or not. */
active proctype Fate() {
end:
  do
  :: atomic { departures && state[0] == waiting && !leaving[0] && !left[0] ->
       departures--;
       if
       :: at[0] == 0 -> leave(0, 0)
       :: else -> leave(0, 1)
       fi
     }
  /* The only client, between two polls, is noted as away. */
  :: atomic { lapses && member[0] && state[0] == idle && !member[1] && watch[0] && !renewing[0] ->
       lapses--; brief[0] = 1
     }
  :: atomic { deaths && !dead[1] -> deaths--; die(0) }
  :: atomic { deaths && !dead[0] -> deaths--; die(1) }
  :: atomic { restarts ->
       restarts--;
       restart_of(0); restart_of(1);
       restart_for(0); restart_for(1);
       sent = 0;
       i = 0; do :: i <= MESSAGES -> own[i] = 0; i++ :: else -> break od; i = 0;
       push_lost();
       if :: hung = NOTHING :: true fi
     }
  :: atomic { standstills && nempty(address[0]) -> standstills--; still[0] = 1 }
  :: atomic { still[0] && nempty(address[0]) -> empty_out(address[0]) }
  od
}

/* Connections that are lost. */
active proctype Losses() {
end:
  do
#ifndef NOTES_ONLY
  :: atomic { losses && !away[0] && !dead[0] -> losses--; lose_address(0);
#ifdef GHOST_TAKE
       ghost_take = 1
#endif
     }
  :: atomic { ghost_take && nempty(address[0]) -> ghost_take = 0; empty_out(address[0]) }
  :: atomic { losses && !away[1] && !dead[1] -> losses--; lose_address(1) }
  :: atomic { losses && watched[0] && !lane_away[0] -> losses--; lose_lane(0) }
  :: atomic { losses && watched[1] && !lane_away[1] -> losses--; lose_lane(1) }
  :: atomic { losses && sent -> losses--; sent = 0; push_lost();
#ifdef GHOST_PUSH
       ghost_push = 1
#endif
     }
  :: atomic { ghost_push && newest < MESSAGES -> ghost_push = 0; push(0); own[newest] = 0 }
  :: atomic { losses && own[1] -> losses--; own[1] = 0; push_lost() }
#if MESSAGES > 1
  :: atomic { losses && own[2] -> losses--; own[2] = 0; push_lost() }
#endif
  :: atomic { losses && (state[0] == reading || state[0] == read) -> losses--; read_lost(0) }
  :: atomic { losses && (state[1] == reading || state[1] == read) -> losses--; read_lost(1) }
#endif
  :: atomic { losses && renewing[0] -> losses--; renewal_lost(0) }
  :: atomic { losses && renewing[1] -> losses--; renewal_lost(1) }
  :: atomic { losses && leaving[0] -> losses--; left[0] = leaving[0]; leaving[0] = 0;
       leaves_watch[0] = 0; overtaken[0] = 0
     }
#ifndef NOTES_ONLY
  :: atomic { losses && look[0] != none -> losses--; look[0] = none; to_look_at[at[0]] = 1 }
  :: atomic { losses && look[1] != none -> losses--; look[1] = none; to_look_at[at[1]] = 1 }
#endif
  od
}

/* The effects of time: clients that do not come back are forgotten, and if a program has none the
 * note of its watch runs out; so does a short one that nothing renews. */
proctype Time(byte p) {
end:
  do
  :: atomic { member[p * 2] && at[0] != p -> forget(p, 0) }
  :: atomic { member[p * 2 + 1] && at[1] != p -> forget(p, 1) }
  :: atomic { watch[p] && (!here(p) || unrenewed[p]) && renewing[0] != p + 1 && renewing[1] != p + 1 ->
       watch[p] = 0; brief[p] = 0; unrenewed[p] = 0
     }
  od
}

/* Nothing moves any more. */
active proctype Rest() {
  timeout -> assert(!sleeps(0) && !sleeps(1))
}

init {
  atomic {
    run Client(0);
    run Wire(0);
#if CLIENTS > 1
    run Client(1);
    run Wire(1);
#endif
    run Program(0); run Program(1);
    run Time(0); run Time(1)
  }
}

ltl woken { ([]<> !sleeps(0)) && ([]<> !sleeps(1)) }
