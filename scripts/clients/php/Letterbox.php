<?php
// SPDX-License-Identifier: MIT

declare(strict_types=1);

/**
 * Letterbox for back ends in PHP 8.0 or later: one file, no extension but json (and openssl for https://).
 *
 *     require 'Letterbox.php';
 *     use Letterbox\Letterbox;
 *
 *     $letterbox = new Letterbox('http://127.0.0.1:8080');
 *     $token = $letterbox->issueToken('alice', ttl: 3600)['token'];      // for Alice's page: new Letterbox({ token })
 *     $letterbox->push('alice', ['from' => 'bob', 'subject' => 'Lunch?'], type: 'mail');
 *
 *     foreach ($letterbox->poll(user: 'jobs', client: 'worker-1') as $message) {    // waits for as long as it takes
 *         work($message->type, $message->data);                                     // the next turn acknowledges this one
 *     }
 *
 * A request that fails for the moment (no answer, 429, 500, 502, 503, 504) is repeated by itself, with back-off and not before
 * the server wants it, for `retryFor` seconds. A push can be repeated because each one has an Idempotency-Key: the server carries it
 * out once, even if an answer was lost. What fails for good throws a TerminalError. A bad argument is an InvalidArgumentException.
 *
 * Answers are arrays with the fields that fcgi/PROTOCOL.md describes.
 */

namespace Letterbox;

// --- errors -------------------------------------------------------------------------

/** Any failure of a request to Letterbox. */
class LetterboxError extends \RuntimeException
{
    /**
     * @param string $errorCode what went wrong, one word of the list in PROTOCOL.md; `no_answer`, or `not_letterbox` if what
     *                          answered does not speak as Letterbox does
     * @param int $status the HTTP status, 0 if there was no answer
     * @param bool $terminal true: the same request will fail again
     * @param int $retryAfterMs the server's wish for the time before the next attempt
     */
    public function __construct(public string $errorCode, string $message, public int $status = 0, public bool $terminal = true, public int $retryAfterMs = 0)
    {
        parent::__construct("$errorCode: $message", $status);
    }

    /** @internal The error that an answer is. One without Letterbox's JSON comes from a proxy on the way, or from another server. */
    public static function of(int $status, mixed $answer): self
    {
        $said = is_array($answer) ? $answer['error'] ?? null : null;
        if (is_array($said) && isset($said['code'], $said['message'], $said['terminal'], $said['retry_after_ms'])) {
            [$code, $message, $terminal, $after] = [(string) $said['code'], (string) $said['message'], $said['terminal'] === true, (int) $said['retry_after_ms']];
        } else {
            $temporary = in_array($status, [408, 429], true) || $status >= 500;
            [$code, $message, $terminal, $after] = ['not_letterbox', "status $status, and no JSON of Letterbox", !$temporary, 0];
        }
        if (!$terminal) {
            return $status === 429 ? new TooMany($code, $message, $status, false, $after) : new Unavailable($code, $message, $status, false, $after);
        }
        return match ($status) {
            401 => new Unauthorized($code, $message, $status),
            403 => new Forbidden($code, $message, $status),
            409 => new Conflict($code, $message, $status),
            413 => new TooLarge($code, $message, $status),
            default => new BadRequest($code, $message, $status),
        };
    }
}

/** The same request will fail again: something has to be changed first. */
class TerminalError extends LetterboxError
{
}

/** 400 and other refusals of what was asked: a bad name, type, time, body; a route that is not there. */
class BadRequest extends TerminalError
{
}

/** 401: the key is missing or wrong (`bad_key`), or the token is not good (`bad_token`, `no_identity`). */
class Unauthorized extends TerminalError
{
}

/** 403: `kicked`, `locked`, `wrong_scope`, `forwarded`, and others. */
class Forbidden extends TerminalError
{
}

/** 409: `key_reused`, `group_full`, `schedule_full`, `broken_data`. */
class Conflict extends TerminalError
{
}

/** 413: the body, or a message times the members of a group, is larger than the server takes. */
class TooLarge extends TerminalError
{
}

/** The same request may succeed later. It has been repeated for `retryFor` seconds. */
class TemporaryError extends LetterboxError
{
}

/** 429: too many requests, or clients, at the moment. */
class TooMany extends TemporaryError
{
}

/** 500, 502, 503, 504: Letterbox, or Redis behind it, is away or full. */
class Unavailable extends TemporaryError
{
}

/** No connection, no answer in time, or half an answer. Whether the request was carried out is not known. */
class NoAnswer extends TemporaryError
{
}

/**
 * A push to several recipients has reached some of them only. `errorCode` is that of the first failure, `terminal` is true if no
 * failure is temporary, and `status` is 207.
 */
class NotAll extends LetterboxError
{
    /**
     * @param array $results an entry for each recipient, or for those that failed if it went to a group or to `*`: its `to`, and
     *                       its `error` if it has failed
     * @param int $failed how many
     */
    public function __construct(public array $results, public int $failed)
    {
        $errors = array_column($results, 'error');
        $first = $errors[0] ?? ['code' => 'not_all', 'message' => 'the server does not say why'];
        $terminal = !in_array(false, array_column($errors, 'terminal'), true);
        parent::__construct($first['code'], "$failed recipients did not get it; the first: $first[message]", 207, $terminal, max([0, ...array_column($errors, 'retry_after_ms')]));
    }
}

// --- the client ---------------------------------------------------------------------

/** Letterbox at one address. The connection is kept and used again. */
final class Letterbox
{
    private const MEMBERS = ['to', 'type', 'data', 'ttl', 'collapse', 'delay', 'at'];

    private Wire $wire;
    private ?string $key;
    private ?\Closure $onRetry;

    /**
     * @param ?string $url http://HOST:PORT, https://HOST, or unix:/PATH; default: $LETTERBOX_URL, else http://127.0.0.1:8080
     * @param ?string $key the key of the private face (--key-file); default: the first line of the file $LETTERBOX_KEY_FILE, if that is set
     * @param float $timeout how long the server may be silent, in seconds, before a request has failed
     * @param float $retryFor for how many seconds a request that fails for the moment is repeated (0 to 600); 0: never
     * @param ?callable $onRetry called with the error and the seconds until the next attempt, before each repetition: for a log
     * @param array $tls options of PHP's `ssl` stream context for https://, such as ['cafile' => …]
     */
    public function __construct(?string $url = null, ?string $key = null, private float $timeout = 10, private float $retryFor = 15, ?callable $onRetry = null, array $tls = [])
    {
        if (!($timeout > 0) || !($retryFor >= 0 && $retryFor <= 600)) {
            throw new \InvalidArgumentException('timeout is above 0 seconds, and retryFor 0 to 600: so long the server knows an Idempotency-Key');
        }
        $file = (string) getenv('LETTERBOX_KEY_FILE');
        if ($key === null && $file !== '') {
            $text = is_readable($file) ? file_get_contents($file) : throw new \InvalidArgumentException("cannot read the key in $file");
            $key = trim(explode("\n", $text)[0]);
            if (preg_match('/^[^: ]+:(\S+) /', $key, $named)) { // NAME:KEY SCOPES
                $key = $named[1];
            }
        }
        if ($key !== null && !preg_match('/^[!-~]+$/D', $key)) {
            throw new \InvalidArgumentException('a key is printable ASCII without blanks');
        }
        $this->key = $key;
        $this->onRetry = $onRetry === null ? null : \Closure::fromCallable($onRetry);
        $this->wire = new Wire($url ?? ((string) getenv('LETTERBOX_URL') ?: 'http://127.0.0.1:8080'), $tls);
    }

    // --- messages

    /**
     * Pushes a message. When this returns, Redis has it.
     *
     * @param string|array $to a user, a list of users, `group:NAME`, or `*`: everybody who is online
     * @param mixed $data anything that JSON can hold; an empty object is new \stdClass
     * @param ?string $type for the recipient to dispatch by (`message`)
     * @param int|float|null $ttl seconds after which it is not delivered any more
     * @param ?string $collapse replaces what is still unread under this word
     * @param int|float|null $delay not now, but after this many seconds
     * @param ?int $at not now, but at this time in milliseconds since 1970
     * @param ?string $idempotencyKey makes one push of all that have it, also of other processes, for ten minutes: for a task that is
     *                                itself repeated. Without it each call is a push of its own, and is repeated safely too.
     * @return array for one user ['id', 'queued', 'waiting'], or ['scheduled', 'at']; for a list ['results' => […]]; with a group or `*`
     *               ['count', 'accepted', 'waiting', 'failed', 'results']
     * @throws NotAll if not every recipient has got it
     */
    public function push(string|array $to, mixed $data = null, ?string $type = null, int|float|null $ttl = null, ?string $collapse = null, int|float|null $delay = null, ?int $at = null, ?string $idempotencyKey = null): array
    {
        self::names($to, 'to');
        $envelope = self::with(['to' => is_array($to) ? array_values($to) : $to, 'type' => $type, 'data' => $data, 'ttl' => $ttl, 'collapse' => $collapse, 'delay' => $delay, 'at' => $at]);
        $answer = $this->pushBody($envelope, $this->freshKey($idempotencyKey), microtime(true) + $this->retryFor);
        if (isset($answer['results'])) {
            self::whole($answer['results'], $answer['failed'] ?? null);
        }
        return $answer;
    }

    /**
     * Pushes many messages to users in few requests. Any number may be given; they go to the server in portions, in this order. Groups
     * and `*` have too many recipients for this: push() tells them.
     *
     * @param iterable $messages each is ['to' => …, 'data' => …] and what else push() takes
     * @return array an entry for each recipient, in order: ['to', 'id', 'queued', 'waiting'] or ['to', 'scheduled', 'at']
     * @throws NotAll if some were not taken: its `results` says which
     */
    public function pushMany(iterable $messages, ?string $idempotencyKey = null): array
    {
        $key = $this->freshKey($idempotencyKey);
        $end = microtime(true) + $this->retryFor;
        $results = [];
        $gone = null;
        foreach (self::portions($messages) as $number => $portion) {
            if ($gone === null) {
                try {
                    // The number makes another key of it, which is as long as the key allows.
                    $answer = $this->pushBody($portion, $number === 0 ? $key : hash('sha256', "$key $number"), $end);
                    array_push($results, ...$answer['results']);
                    continue;
                } catch (LetterboxError $error) {
                    $gone = ['code' => $error->errorCode, 'message' => $error->getMessage(), 'terminal' => $error->terminal, 'retry_after_ms' => $error->retryAfterMs];
                }
            }
            foreach ($portion as $envelope) {
                foreach ((array) $envelope['to'] as $name) {
                    $results[] = ['to' => $name, 'error' => $gone];
                }
            }
        }
        self::whole($results);
        return $results;
    }

    /** The messages that wait for their time, by time: ['id', 'at', 'type', 'data']. */
    public function scheduled(string $user): \Generator
    {
        return $this->each('/scheduled', 'scheduled', ['user' => $user]);
    }

    /** Cancels a message that waits for its time, by the id in `scheduled`. False: it is not there any more. */
    public function cancel(string $scheduled): bool
    {
        return $this->ask('DELETE', '/scheduled', ['id' => $scheduled])['cancelled'];
    }

    /**
     * What is in a mailbox, without its messages: ['user', 'queued', 'oldest', 'newest', 'polls', 'clients', 'cursor']. A page that polls
     * after this `cursor` gets exactly what is pushed from now on: read it before the state that you print into the page.
     */
    public function mailbox(string $user): array
    {
        return $this->ask('GET', '/mailbox', ['user' => $user]);
    }

    /**
     * The messages that are kept, oldest first, at most `limit`. Nothing is acknowledged.
     *
     * @return Message[]
     */
    public function peek(string $user, ?string $after = null, int $limit = 100): array
    {
        return array_map([Message::class, 'of'], $this->ask('GET', '/mailbox', self::with(['user' => $user, 'limit' => $limit, 'after' => $after]))['messages']);
    }

    /** Drops one message by its id. False: it is not there any more, or every client has it. */
    public function retract(string $user, string $message): bool
    {
        return $this->ask('DELETE', '/mailbox', ['user' => $user, 'id' => $message])['retracted'];
    }

    /** Drops all messages of a user. False: there was no mailbox. */
    public function delete(string $user): bool
    {
        return $this->ask('DELETE', '/mailbox', ['user' => $user])['deleted'];
    }

    // --- tokens

    /**
     * A token by which a page polls as this user: ['token', 'id', 'user', 'expires'].
     *
     * @param int|float|null $ttl its life in seconds (a day)
     * @param ?string $client the only client that may use it
     * @param mixed $data what /alive tells the page, up to 4 KiB of JSON
     * @param bool $sliding each poll makes it last for `ttl` again
     */
    public function issueToken(string $user, int|float|null $ttl = null, ?string $client = null, mixed $data = null, bool $sliding = false): array
    {
        return $this->ask('POST', '/tokens', [], self::with(['user' => $user, 'ttl' => $ttl, 'client' => $client, 'data' => $data, 'sliding' => $sliding ?: null]));
    }

    /** The valid tokens of a user, without their secrets: ['id', 'created', 'expires', 'used', 'address', 'client', 'data']. */
    public function tokens(string $user): array
    {
        return $this->ask('GET', '/tokens', ['user' => $user])['tokens'];
    }

    /** Revokes one token by its `id`; its polls end at once. How many there were: 1 or 0. */
    public function revokeToken(string $id): int
    {
        return $this->ask('DELETE', '/tokens', ['id' => $id])['revoked'];
    }

    /** Revokes all tokens of a user, signed ones too. How many there were. */
    public function revokeTokens(string $user): int
    {
        return $this->ask('DELETE', '/tokens', ['user' => $user])['revoked'];
    }

    /**
     * A signed token (a JSON Web Token by HS256), made without asking Letterbox; letterbox-poll --jwt-key names a file with the same secret.
     *
     * @param string $secret 32 bytes or more
     * @param int|float $ttl its life in seconds
     * @param array $claims more claims, such as ['aud' => 'letterbox']
     */
    public static function signToken(string $user, string $secret, int|float $ttl = 3600, array $claims = []): string
    {
        if (strlen($secret) < 32) {
            throw new \InvalidArgumentException('the secret needs 32 bytes or more');
        }
        if ($user === '' || !($ttl > 0)) {
            throw new \InvalidArgumentException('a token needs a user, and a ttl above 0 seconds');
        }
        $part = static fn (string $data): string => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
        $now = microtime(true);
        $text = $part(self::json(['alg' => 'HS256', 'typ' => 'JWT'])) . '.' . $part(self::json(['sub' => $user, 'iat' => (int) $now, 'exp' => (int) ($now + $ttl)] + $claims));
        return $text . '.' . $part(hash_hmac('sha256', $text, $secret, true));
    }

    // --- groups

    /** All groups in the order of their names: ['group', 'size']. */
    public function groups(?string $prefix = null): \Generator
    {
        return $this->each('/groups', 'groups', ['prefix' => $prefix]);
    }

    /** All members of a group in the order of their names: ['user', 'online']. */
    public function members(string $group): \Generator
    {
        return $this->each('/groups/' . self::inPath($group, 'group'), 'members', []);
    }

    /** Adds a user or several. How many are new in it. */
    public function addToGroup(string $group, string|array $users): int
    {
        $path = '/groups/' . self::inPath($group, 'group');
        if (is_string($users)) {
            return (int) $this->ask('PUT', $path . '/' . self::inPath($users, 'users'))['added'];
        }
        self::names($users, 'users');
        return $this->ask('PUT', $path, [], array_values($users))['added'];
    }

    /** Removes a user. False: it was no member. */
    public function removeFromGroup(string $group, string $user): bool
    {
        return $this->ask('DELETE', '/groups/' . self::inPath($group, 'group') . '/' . self::inPath($user, 'user'))['removed'];
    }

    /** Makes the group exactly these users: ['group', 'added', 'removed', 'size']. */
    public function setGroup(string $group, array $users): array
    {
        if ($users !== []) {
            self::names($users, 'users');
        }
        return $this->ask('PUT', '/groups/' . self::inPath($group, 'group'), ['replace' => 1], array_values($users));
    }

    /** Removes a group. False: it had no members. */
    public function removeGroup(string $group): bool
    {
        return $this->ask('DELETE', '/groups/' . self::inPath($group, 'group'))['removed'];
    }

    // --- users

    /** Who is online, in the order of their names: ['user', 'last_activity', 'until', 'clients']. */
    public function users(?string $prefix = null): \Generator
    {
        return $this->each('/users', 'users', ['prefix' => $prefix]);
    }

    /** One user, online or not: ['user', 'online', 'last_activity', 'until', 'clients', 'locked', 'groups']. */
    public function user(string $user): array
    {
        return $this->ask('GET', '/users', ['user' => $user]);
    }

    /** Ends all polls of a user, and makes its present tokens worthless. A user without a token stays out for `seconds` (60). */
    public function kick(string $user, ?string $reason = null, int|float|null $seconds = null): void
    {
        $this->ask('POST', '/users/kick', [], self::with(['user' => $user, 'reason' => $reason, 'for' => $seconds]));
    }

    /** Keeps a user out until unlock(). Its messages are kept. */
    public function lock(string $user, ?string $reason = null): void
    {
        $this->ask('POST', '/users/lock', [], self::with(['user' => $user, 'reason' => $reason]));
    }

    /** Lets a user in again. False: it was not locked. */
    public function unlock(string $user): bool
    {
        return $this->ask('POST', '/users/unlock', [], ['user' => $user])['was_locked'];
    }

    /**
     * Removes all that Letterbox knows of a user: mailbox, tokens, schedule, groups, lock, presence. Says how much that was: ['user',
     * 'erased', 'messages', 'tokens', 'scheduled', 'groups', 'standing', 'presence'].
     */
    public function erase(string $user): array
    {
        return $this->ask('DELETE', '/users/' . self::inPath($user, 'user'));
    }

    // --- listening

    /**
     * Iterates over the messages of a mailbox as they come, for ever: through restarts, failovers and losses of the network.
     *
     * A message counts as done, and is acknowledged with the next request, once the loop goes on to the next one. So a program that dies
     * gets the message that it worked at again, and none is lost. Keep `$message->id` after the work, and give it as `after` at the
     * next start. Poll::ack() acknowledges at once. Throws a TerminalError if the server refuses the user (`kicked`, `locked`, `bad_token`).
     *
     * @param ?string $user who polls, if the server believes it (--open); or:
     * @param string|callable|null $token a token, or a function that returns one. It is called with false; and with true if the server has
     *                                    refused the last one: then it should make a new one. The server needs its public face at this address.
     * @param ?string $client the name of this reader; two that poll at the same time need two names
     * @param string $after begin after the message with this id; `0`: with the oldest that is kept; `now`: with the next one
     * @param int $limit most messages that one answer brings
     * @param int|float $timeout how long the server holds a poll, in seconds (0 to 50)
     * @param int|float|null $wait ends if no message has come for this many seconds; 0: takes what is there. null: never ends
     * @return Poll its keys are the ids
     */
    public function poll(?string $user = null, string|callable|null $token = null, ?string $client = null, string $after = '0', int $limit = 100, int|float $timeout = 25, int|float|null $wait = null): Poll
    {
        if (($user === null) === ($token === null)) {
            throw new \InvalidArgumentException('poll needs a user or a token');
        }
        if (!($timeout >= 0 && $timeout <= 50) || ($wait !== null && !($wait >= 0))) {
            throw new \InvalidArgumentException('timeout is 0 to 50 seconds, and wait at least 0');
        }
        $identity = self::with(['user' => $user, 'client' => $client]);
        $source = $token === null || is_string($token) ? static fn (): ?string => $token : \Closure::fromCallable($token);
        $mayRenew = $token !== null && !is_string($token);
        return new Poll(
            function (string $method, string $path, array $query, float $held, bool &$refused) use ($identity, $source, $mayRenew): array {
                while (true) {
                    $shown = $source($refused);
                    if ($shown !== null && !preg_match('/^[!-~]+$/D', $shown)) {
                        throw new \InvalidArgumentException('a token is printable ASCII without blanks');
                    }
                    try {
                        $answer = $this->once($method, $path, $query + $identity, null, $shown === null ? [] : ["Authorization: Bearer $shown"], $held + $this->timeout);
                        $refused = false;
                        return $answer;
                    } catch (Unauthorized $error) {
                        // A function may make another token, once.
                        if (!$mayRenew || $refused) {
                            throw $error;
                        }
                        $refused = true;
                    }
                }
            },
            fn (LetterboxError $error, int $failures, float $end): bool => $this->mayRepeat($error, $failures, $end),
            $after,
            $limit,
            (float) $timeout,
            $wait === null ? null : (float) $wait,
            $this->retryFor,
        );
    }

    // --- health

    /** ['status' => 'ready', 'program' => …] if Letterbox lives and Redis takes writes. Otherwise throws at once: Unavailable says why. */
    public function health(): array
    {
        return $this->once('GET', '/readyz', [], null, [], $this->timeout);
    }

    // --- requests

    private function freshKey(?string $key): string
    {
        if ($key === null) {
            return bin2hex(random_bytes(16));
        }
        if (!preg_match('/^[!-~](?:[ -~]{0,126}[!-~])?$/D', $key)) {
            throw new \InvalidArgumentException('an idempotency key is 1 to 128 printable ASCII characters, with no blanks around them');
        }
        return $key;
    }

    /** A push, repeated also for those recipients alone that have failed for the moment: the key keeps it from the others. */
    private function pushBody(array $body, string $key, float $end): array
    {
        for ($failures = 0; true; ++$failures) {
            $answer = $this->ask('POST', '/push', [], $body, ["Idempotency-Key: $key"], $end, true);
            $retry = array_filter(array_column($answer['results'] ?? [], 'error'), static fn (array $error): bool => !$error['terminal']);
            if ($retry === [] || !$this->mayRepeat(LetterboxError::of(503, ['error' => reset($retry)]), $failures, $end)) {
                return $answer;
            }
        }
    }

    /** The entries of all pages of a list. */
    private function each(string $path, string $field, array $query): \Generator
    {
        $after = null;
        do {
            $answer = $this->ask('GET', $path, self::with($query + ['after' => $after, 'limit' => 1000]));
            foreach ($answer[$field] as $entry) {
                yield $entry;
            }
            $after = $answer['next'];
        } while ($after !== null);
    }

    /** One request, repeated while it fails for the moment, until `end`. All of them may be repeated: their effect is the same. */
    private function ask(string $method, string $path, array $query = [], ?array $body = null, array $headers = [], ?float $end = null, bool $partly = false): array
    {
        $end ??= microtime(true) + $this->retryFor;
        $content = $body === null ? null : self::json($body);
        if ($this->key !== null) {
            $headers[] = "Authorization: Bearer $this->key";
        }
        for ($failures = 0; true; ++$failures) {
            try {
                return $this->once($method, $path, $query, $content, $headers, $this->timeout, $partly);
            } catch (TemporaryError $error) {
                if (!$this->mayRepeat($error, $failures, $end)) {
                    throw $error;
                }
            }
        }
    }

    /**
     * Waits before the next attempt; false if that would be after the end. The back-off doubles from 0.1 s to 15 s, with jitter, so that
     * clients which failed together do not return together.
     */
    private function mayRepeat(LetterboxError $error, int $failures, float $end): bool
    {
        $backOff = min(15.0, 0.1 * 2 ** min($failures, 10)) * (0.5 + mt_rand() / mt_getrandmax() / 2);
        $seconds = max($error->retryAfterMs / 1000, $backOff);
        if (microtime(true) + $seconds > $end) {
            return false;
        }
        if ($this->onRetry !== null) {
            ($this->onRetry)($error, $seconds);
        }
        usleep((int) ($seconds * 1e6));
        return true;
    }

    /** One request; its answer, or the error that it is. partly: an answer with `results` is one, whatever its status. */
    private function once(string $method, string $path, array $query, ?string $content, array $headers, float $timeout, bool $partly = false): array
    {
        if ($query !== []) {
            $path .= '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986);
        }
        [$status, $said] = $this->wire->exchange($method, $path, $headers, $content, $timeout);
        // As deep as the server takes data, and a little more.
        $answer = json_decode($said, true, 600, JSON_BIGINT_AS_STRING);
        if (is_array($answer) && (($status >= 200 && $status < 300) || ($partly && isset($answer['results'])))) {
            return $answer;
        }
        if ($status >= 200 && $status < 400) {
            throw new BadRequest('not_letterbox', "status $status, and no JSON of Letterbox: is this its address?", $status);
        }
        throw LetterboxError::of($status, $answer);
    }

    // --- names and texts

    private static function names(string|array $names, string $what): void
    {
        if ($names === []) {
            throw new \InvalidArgumentException("$what: nobody is named");
        }
        foreach ((array) $names as $name) {
            if (!is_string($name)) {
                throw new \InvalidArgumentException("$what: a name is a string, not " . get_debug_type($name));
            }
        }
    }

    /** A name as a part of a path, in which no other characters can be, and in which a server takes `.` and `..` for folders. */
    private static function inPath(string $name, string $what): string
    {
        if (!preg_match('/^[A-Za-z0-9._@:+-]{1,128}$/D', $name) || $name === '.' || $name === '..') {
            throw new \InvalidArgumentException("$what: a name is 1 to 128 of A-Z a-z 0-9 . _ - @ : +, not '$name'");
        }
        return $name;
    }

    private static function json(array $value): string
    {
        try {
            return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION);
        } catch (\JsonException $error) {
            throw new \InvalidArgumentException('this can\'t be JSON: ' . $error->getMessage(), 0, $error);
        }
    }

    /** The fields that are not null. */
    private static function with(array $fields): array
    {
        return array_filter($fields, static fn (mixed $value): bool => $value !== null);
    }

    private static function whole(array $results, ?int $failed = null): void
    {
        $failed ??= count(array_column($results, 'error'));
        if ($failed > 0) {
            throw new NotAll($results, $failed);
        }
    }

    /** Lists of envelopes for one request each: at most 500 recipients, and 128 KiB unless one alone is longer. */
    private static function portions(iterable $messages): \Generator
    {
        $portion = [];
        $recipients = $size = 0;
        foreach ($messages as $message) {
            if (!is_array($message) || !isset($message['to'])) {
                throw new \InvalidArgumentException("a message is an array with 'to' in it");
            }
            if ($unknown = array_diff(array_keys($message), self::MEMBERS)) {
                throw new \InvalidArgumentException('a message has no ' . implode(', ', $unknown));
            }
            self::names($message['to'], 'to');
            foreach ((array) $message['to'] as $name) {
                if ($name === '*' || str_starts_with($name, 'group:') || str_contains($name, ',')) {
                    throw new \InvalidArgumentException('pushMany is for users; push() tells groups and everybody');
                }
            }
            $envelope = self::with($message);
            if (is_array($envelope['to'])) {
                $envelope['to'] = array_values($envelope['to']);
            }
            $count = count((array) $envelope['to']);
            $length = strlen(self::json($envelope));
            if ($portion !== [] && ($recipients + $count > 500 || $size + $length > 128 * 1024)) {
                yield $portion;
                $portion = [];
                $recipients = $size = 0;
            }
            $portion[] = $envelope;
            $recipients += $count;
            $size += $length;
        }
        if ($portion !== []) {
            yield $portion;
        }
    }
}

// --- the iterator -------------------------------------------------------------------

/** A message. `id` is also the cursor after it; `time` is when it was pushed, in milliseconds since 1970. */
final class Message
{
    public function __construct(public string $id, public string $type, public mixed $data, public int $time)
    {
    }

    /** @internal */
    public static function of(array $said): self
    {
        return new self($said['id'], $said['type'], $said['data'], $said['time']);
    }
}

/** The messages of a mailbox, one after the other: see Letterbox::poll(). A second foreach goes on where the first one ended. */
final class Poll implements \Iterator
{
    /** How many messages will not come any more: dropped or expired before this client had them. */
    public int $missed = 0;
    /** How many were replaced or retracted before this client had them. */
    public int $collapsed = 0;
    /** How often the mailbox has become another one; the iterator went on with the oldest message each time. */
    public int $resets = 0;

    /** @var Message[] the rest of the last answer */
    private array $messages = [];
    private ?Message $given = null;
    private string $position;
    private bool $refused = false;

    /** @internal @param string $cursor the id of the last message that is done */
    public function __construct(private \Closure $request, private \Closure $mayRepeat, public string $cursor, private int $limit, private float $timeout, private ?float $wait, private float $retryFor)
    {
        $this->position = $cursor;
    }

    public function rewind(): void
    {
    }

    public function valid(): bool
    {
        if ($this->given === null) {
            if ($this->messages === []) {
                $this->cursor = $this->position;
                $this->fill();
            }
            $this->given = array_shift($this->messages);
        }
        return $this->given !== null;
    }

    public function current(): ?Message
    {
        return $this->valid() ? $this->given : null;
    }

    public function key(): ?string
    {
        return $this->current()?->id;
    }

    public function next(): void
    {
        $this->cursor = $this->given?->id ?? $this->cursor;
        $this->given = null;
    }

    /** Acknowledges the message that was given last, and all before it, at once. */
    public function ack(): void
    {
        $done = $this->given?->id ?? $this->cursor;
        if (!preg_match('/^\d+-\d+$/D', $done)) {
            return; // no message was given yet
        }
        $end = microtime(true) + $this->retryFor;
        for ($failures = 0; true; ++$failures) {
            try {
                ($this->request)('POST', '/ack', ['after' => $done], 0.0, $this->refused);
                return;
            } catch (TemporaryError $error) {
                if (!($this->mayRepeat)($error, $failures, $end)) {
                    throw $error;
                }
            }
        }
    }

    /** Asks until there are messages, or none has come for `wait` seconds. */
    private function fill(): void
    {
        $begin = microtime(true);
        $failures = 0;
        while (true) {
            $left = $this->wait === null ? $this->timeout : max(0.0, $begin + $this->wait - microtime(true));
            $timeout = round(min($this->timeout, $left), 3);
            try {
                $answer = ($this->request)('GET', '/poll', ['after' => $this->position, 'timeout' => $timeout, 'limit' => $this->limit], $timeout, $this->refused);
            } catch (TemporaryError $error) {
                if (!($this->mayRepeat)($error, $failures++, $this->wait === null ? INF : $begin + max($this->wait, $this->retryFor))) {
                    throw $error;
                }
                continue;
            }
            $failures = 0;
            $this->missed += $answer['missed'];
            $this->collapsed += $answer['collapsed'] ?? 0;
            $this->resets += (int) $answer['reset'];
            $this->messages = array_map([Message::class, 'of'], $answer['messages']);
            $this->position = $answer['cursor'];
            if ($this->messages !== []) {
                return;
            }
            $this->cursor = $this->position;
            if ($this->wait !== null && microtime(true) >= $begin + $this->wait) {
                return;
            }
            // After `kicked` the next request says by a terminal error what has happened.
            usleep($answer['retry_after_ms'] * 1000);
        }
    }
}

// --- HTTP ---------------------------------------------------------------------------

/**
 * @internal HTTP/1.1 over one connection that is kept: as much of it as Letterbox behind nginx speaks. PHP's own http:// streams know no unix
 * sockets and keep no connection, and curl is an extension that not every PHP has.
 */
final class Wire
{
    private string $address;
    private string $host;
    private string $prefix = '';
    private array $options;
    /** @var resource|null */
    private $stream = null;
    private int $process = 0;

    public function __construct(string $url, array $tls)
    {
        $this->options = ['ssl' => $tls];
        if (str_starts_with($url, 'unix:') && strlen($url) > 5) {
            $this->address = 'unix://' . substr($url, 5);
            $this->host = 'localhost';
            return;
        }
        $parts = parse_url($url);
        $scheme = $parts['scheme'] ?? '';
        if (!is_array($parts) || !in_array($scheme, ['http', 'https'], true) || !isset($parts['host']) || isset($parts['query']) || isset($parts['fragment'])) {
            throw new \InvalidArgumentException("not the address of a server: '$url'; http://HOST:PORT, https://HOST or unix:/PATH");
        }
        if (isset($parts['user']) || isset($parts['pass'])) {
            throw new \InvalidArgumentException('the address has a user or a password in it: a key goes into `key`');
        }
        $this->host = $parts['host'] . (isset($parts['port']) ? ":$parts[port]" : '');
        $port = $parts['port'] ?? ($scheme === 'https' ? 443 : 80);
        $this->address = ($scheme === 'https' ? 'tls' : 'tcp') . "://$parts[host]:$port";
        $this->prefix = rtrim($parts['path'] ?? '', '/');
    }

    /** @return array{int, string} the status and the body */
    public function exchange(string $method, string $target, array $headers, ?string $content, float $timeout): array
    {
        $lines = ["$method $this->prefix$target HTTP/1.1", "Host: $this->host", 'User-Agent: letterbox-php', ...$headers];
        if ($content !== null) {
            $lines[] = 'Content-Type: application/json';
            $lines[] = 'Content-Length: ' . strlen($content);
        }
        $request = implode("\r\n", $lines) . "\r\n\r\n" . $content;
        if ($this->process !== getmypid()) {
            $this->stream = null; // after a fork two processes would read the answers of one connection
        }
        while (true) {
            $used = $this->stream !== null;
            try {
                $this->stream ??= $this->connect($timeout);
                stream_set_timeout($this->stream, (int) $timeout, (int) (fmod($timeout, 1) * 1e6));
                $this->write($request);
                [$status, $body, $keeps] = $this->answer();
            } catch (\UnexpectedValueException $error) {
                $silent = $this->stream !== null && stream_get_meta_data($this->stream)['timed_out'];
                $this->close();
                // A kept connection that the server has closed meanwhile says nothing about the server.
                if ($used && !$silent) {
                    continue;
                }
                throw new NoAnswer('no_answer', $silent ? "nothing within $timeout s" : $error->getMessage(), 0, false);
            }
            if (!$keeps) {
                $this->close();
            }
            return [$status, $body];
        }
    }

    /** @return resource */
    private function connect(float $timeout)
    {
        $stream = @stream_socket_client($this->address, $number, $text, $timeout, STREAM_CLIENT_CONNECT, stream_context_create($this->options));
        if ($stream === false) {
            throw new \UnexpectedValueException('no connection' . ($text === '' ? '' : ": $text"));
        }
        $this->process = getmypid();
        return $stream;
    }

    private function close(): void
    {
        if ($this->stream !== null) {
            fclose($this->stream);
            $this->stream = null;
        }
    }

    private function write(string $data): void
    {
        while ($data !== '') {
            $count = @fwrite($this->stream, $data);
            if ($count === false || $count === 0) {
                throw new \UnexpectedValueException('the connection was closed before the request was sent');
            }
            $data = substr($data, $count);
        }
    }

    /** @return array{int, string, bool} status, body, and whether the connection stays open */
    private function answer(): array
    {
        $first = $this->line();
        if (!preg_match('/^HTTP\/1\.[01] (\d{3})/', $first, $match)) {
            throw new \UnexpectedValueException('what answers does not speak HTTP/1.1');
        }
        $headers = [];
        while (($line = $this->line()) !== '') {
            [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
            $headers[strtolower(trim($name))] = trim($value);
        }
        $keeps = str_starts_with($first, 'HTTP/1.1') && strtolower($headers['connection'] ?? '') !== 'close';
        $status = (int) $match[1];
        if ($status === 204 || $status === 304) {
            return [$status, '', $keeps];
        }
        if (strtolower($headers['transfer-encoding'] ?? '') === 'chunked') {
            $body = '';
            while (($size = (int) hexdec(rtrim(explode(';', $this->line())[0]))) > 0) {
                $body .= $this->bytes($size);
                $this->line();
            }
            while ($this->line() !== '') {
                // trailers say nothing to us
            }
            return [$status, $body, $keeps];
        }
        if (isset($headers['content-length'])) {
            return [$status, $this->bytes((int) $headers['content-length']), $keeps];
        }
        return [$status, (string) stream_get_contents($this->stream), false];
    }

    private function line(): string
    {
        $line = @fgets($this->stream, 65536);
        if ($line === false || !str_ends_with($line, "\n")) {
            throw new \UnexpectedValueException('the connection was closed before the answer was whole');
        }
        return rtrim($line, "\r\n");
    }

    private function bytes(int $size): string
    {
        $data = '';
        while (strlen($data) < $size) {
            $more = @fread($this->stream, $size - strlen($data));
            if ($more === false || $more === '') {
                throw new \UnexpectedValueException('the connection was closed before the answer was whole');
            }
            $data .= $more;
        }
        return $data;
    }
}
