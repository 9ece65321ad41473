// SPDX-License-Identifier: MIT
//
// The browser client of Letterbox: types of letterbox.js. The server's side is in
// fcgi/PROTOCOL.md.

/** What a Letterbox is made with. */
export interface LetterboxOptions {
  /** Where `/poll`, `/events`, `/ack` and `/alive` are: an address, absolute or relative to the page; default: the page's own server. */
  url?: string;
  /** Sent as `Authorization: Bearer …`. Without it the session cookie, or nginx, says who polls. A function is asked before each request (a poll, a stream, an acknowledgement), so that a token can be renewed; if the server refuses the token it is asked once more with `refused: true`, and only if that one is refused too it has ended. In a tab that follows it is asked before messages are handed out. */
  token?: string | ((asked: { refused: boolean }) => string | Promise<string>);
  /** Whose mailbox. The server believes it only with `--open` (development). But tabs share only if they are known to be the same person's, and the cursor is kept for each person: say it with a cookie, or with a token that does not say who it is for. Who is signed in must be this user: then no tab gets another's messages. A token that does say (one of `POST /tokens`, or a JWT with `sub`) counts more than this. */
  user?: string;
  /** Which reader of the mailbox this is. Default: a name made up once for this browser (tabs share it), or for this tab where they do not share. */
  client?: string;
  /** Whether the tabs of this origin share one poll or stream, by url, person and client; default true. Each tab polls for itself while nobody knows whose it is (see `user`), and if the browser lacks Web Locks or BroadcastChannel. If the tab that polls stands still (an `alert()`, a debugger), a visible one replaces it after `timeout` and 15 s; if it streams, 35 s after it was last heard. */
  share?: boolean;
  /** `'auto'` (default): a message is acknowledged once all its handlers have ended, promises that they return included. `'manual'`: by `message.ack()`; the next poll, or the next message of a stream, waits for it. */
  ack?: 'auto' | 'manual';
  /** The cursor to begin at where none is kept; default `'0'`, the oldest message there is; `'now'`: after the newest. */
  after?: string;
  /** How long the server holds a poll, in seconds; default 25. How long a stream lives the server says. */
  timeout?: number;
  /** How messages come. `'poll'`: one request after the other. `'stream'`: one response that goes on (`/events`), read by `fetch`. `'auto'` (default): a stream; for five minutes polls, if of a stream nothing came within 5 s (a proxy holds it back). Both are left for polls where `/events` is answered by something else than a stream, and where the user was kicked, since a poll is told why. */
  transport?: 'poll' | 'stream' | 'auto';
  /** Whether it begins by itself; default true. Else `open()` begins. */
  start?: boolean;
}

/** A message as it was pushed, and an event of its `type` as well as of `'message'`. */
export interface LetterboxMessage extends Event {
  /** Opaque; ids of one mailbox are in order. */
  readonly id: string;
  /** The message's type is `kind`, since `type` is what the event is dispatched as. */
  readonly kind: string;
  readonly data: any;
  /** When it was pushed, in milliseconds since 1970. */
  readonly time: number;
  /** With `ack: 'manual'`: this one, and all before it, are done. */
  ack(): void;
}

/** Why it stopped, or what went wrong. */
export interface LetterboxProblem extends Event {
  /** The server's code (`'locked'`, `'store_unavailable'`, …), or `'network'`, `'bad_answer'`, `'token'` (the function that gives it failed), `'bad_token'` with status 0 (it has a character that a header may not have), `'handler'` (one of the page's own failed: this tab alone is told), `'superseded'`, `'closed'`. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** True: it has stopped, trying again is pointless. */
  readonly terminal: boolean;
  /** In how many milliseconds it tries again; 0 where it does not. */
  readonly retryIn: number;
}

/** What the client is doing at the moment; for pages that show it. */
export interface LetterboxState extends Event {
  readonly state: 'following' | 'polling' | 'streaming' | 'answered' | 'waiting' | 'offline' | 'closed';
  /** `polling`, `streaming`: this tab has a poll, or a stream, at the server. `answered`: by this reason of the server's (`messages`, `timeout`, `shutdown`, …); after `messages` a stream goes on. */
  readonly reason?: string;
  /** `waiting`: the next request goes out in so many milliseconds. */
  readonly wait?: number;
}

export interface LetterboxEvents {
  message: LetterboxMessage;
  /** The first poll was answered, or the first stream began; or again after errors. */
  open: Event;
  /** If nobody listens to this, an end that the page did not ask for is said on the console. */
  close: LetterboxProblem;
  error: LetterboxProblem;
  /** So many messages will not come any more. */
  missed: Event & { readonly count: number };
  /** The mailbox is a new one, or the token is another person's now: what is shown of the old one is worth nothing. */
  reset: Event;
  /** Another reader has this client's name; this one stops. `preventDefault()` has it go on after a pause. Told in the tab that polls; the others get `close`. */
  superseded: Event;
  state: LetterboxState;
}

export class Letterbox extends EventTarget {
  constructor(options?: LetterboxOptions);
  /** Messages of a type, or an event of the client's own; returns what takes the handler away again. A handler may return a promise: the message is acknowledged when it is kept, and given again (by the next poll or stream) where it fails. Listeners of `addEventListener` hear the same, but nobody waits for them, or notices that they throw. */
  on<K extends keyof LetterboxEvents>(type: K, handler: (event: LetterboxEvents[K]) => unknown): () => void;
  on(type: string, handler: (message: LetterboxMessage) => unknown): () => void;
  /** Begins, or begins anew after it has stopped. */
  open(): void;
  /** Stops: the poll or stream is aborted; what was not acknowledged comes next time. */
  close(): void;
  /** The cursor: the last message that was acknowledged. */
  readonly cursor: string;
  /** The reader's name. */
  readonly client: string;
  /** True in the tab that polls or streams. */
  readonly leading: boolean;
  readonly closed: boolean;
  /** Tells the server that this page is in use: its answer of `/alive`. */
  alive(): Promise<Alive>;
  /** As the function below, with this client's server and token. */
  keepAlive<T>(work: Promise<T>, options?: KeepAliveOptions): Promise<T>;
}

/** What `/alive` answers. */
export interface Alive {
  user: string;
  unread: number;
  time: number;
  expires: number | null;
  data: any;
}

export interface KeepAliveOptions {
  /** Milliseconds until the first heartbeat, and between them; default 20000 each. */
  after?: number;
  every?: number;
  url?: string;
  token?: LetterboxOptions['token'];
  user?: string;
  /** Told each answer, and each failure: a heartbeat that fails does not end the work. */
  onBeat?: (answer: Alive | Error) => void;
}

/** While `work` goes on says so to the server, first `after` and then `every` so many milliseconds; never from a cache, and not once more when it is done. Returns what `work` returns. */
export function keepAlive<T>(work: Promise<T>, options?: KeepAliveOptions): Promise<T>;

/** Makes a button (or a form, by its submit) do `work` when it is pressed, and refuse another press until that is done: it is `disabled` and `aria-busy` meanwhile. Returns what takes that away again. */
export function busy(control: HTMLElement, work: (event: Event) => Promise<unknown> | unknown): () => void;
