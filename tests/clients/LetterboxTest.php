<?php
// SPDX-License-Identifier: MIT

declare(strict_types=1);

use Letterbox\BadRequest;
use Letterbox\Conflict;
use Letterbox\Forbidden;
use Letterbox\Letterbox;
use Letterbox\LetterboxError;
use Letterbox\Message;
use Letterbox\NoAnswer;
use Letterbox\NotAll;
use Letterbox\TemporaryError;
use Letterbox\TerminalError;
use Letterbox\TooLarge;
use Letterbox\TooMany;
use Letterbox\Unauthorized;
use Letterbox\Unavailable;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Stack.php';
require_once __DIR__ . '/../../scripts/clients/php/Letterbox.php';

/** scripts/clients/php/Letterbox.php against the real stack. */
final class LetterboxTest extends TestCase
{
    private const SECRET = 'a secret of thirty-two bytes, or more';
    private const WISH_MS = 300; // of proxy.py

    private static ?Stack $shared = null;
    private static int $number = 0;
    /** @var Stack[] those of one test */
    private array $stacks = [];
    private Letterbox $client;
    private string $user;

    public static function setUpBeforeClass(): void
    {
        self::$shared = new Stack();
    }

    public static function tearDownAfterClass(): void
    {
        self::$shared?->stop();
    }

    protected function setUp(): void
    {
        $this->client = new Letterbox(self::$shared->url);
        $this->user = 'user' . ++self::$number;
    }

    protected function tearDown(): void
    {
        foreach ($this->stacks as $stack) {
            $stack->stop();
        }
    }

    private function stack(array $settings = []): Stack
    {
        return $this->stacks[] = new Stack($settings);
    }

    /** @return array the data of what is in a mailbox for a client that takes it */
    private function texts(string $user, ?Letterbox $client = null): array
    {
        return self::data(($client ?? $this->client)->poll(user: $user, wait: 0));
    }

    private static function data(iterable $messages): array
    {
        return array_map(static fn (Message $message): mixed => $message->data, [...array_values(is_array($messages) ? $messages : iterator_to_array($messages))]);
    }

    /** The error of this kind that the act throws; any other outcome fails. */
    private function thrown(string $kind, callable $act): \Throwable
    {
        try {
            $act();
        } catch (\Throwable $error) {
            $this->assertInstanceOf($kind, $error, (string) $error);
            return $error;
        }
        $this->fail("$kind was not thrown");
    }

    private static function first(iterable $messages): ?Message
    {
        foreach ($messages as $message) {
            return $message;
        }
        return null;
    }

    // --- messages

    /** @testdox a push is delivered with its type and its data, whatever JSON that is */
    public function testPush(): void
    {
        $values = ['hello', '', 'grüße, 漢字, 🙂', null, 0, -1.5, 2.0, true, [], ['a' => [1, ['b' => null]]], "\0\\\"\u{2028}"];
        foreach ($values as $value) {
            $answer = $this->client->push($this->user, $value, type: "it's a type");
            $this->assertSame([], array_diff(['id', 'queued', 'waiting'], array_keys($answer)));
        }
        $messages = iterator_to_array($this->client->poll(user: $this->user, wait: 0));
        $this->assertSame($values, self::data($messages));
        $this->assertSame(["it's a type"], array_values(array_unique(array_column($messages, 'type'))));
        $this->assertSame(array_keys($messages), array_column($messages, 'id'));
        $this->assertSame($answer['id'], array_key_last($messages));
    }

    /** @testdox a list, a group and everybody online are recipients like one user */
    public function testPushToSeveral(): void
    {
        $names = ["$this->user-a", "$this->user-b"];
        $answer = $this->client->push($names, 1);
        $this->assertSame($names, array_column($answer['results'], 'to'));
        $this->assertSame(1, $this->client->addToGroup($this->user, $names[0]));
        $this->assertSame(1, $this->client->push("group:$this->user", 2)['accepted']);
        $this->assertSame([1], $this->texts($names[1]));
        eventually(fn (): bool => $this->client->user($names[1])['online'], 'it is online');
        $this->assertGreaterThanOrEqual(1, $this->client->push('*', 3)['accepted']);
        $this->assertSame([3], $this->texts($names[1]));
        $this->assertSame([1, 2], array_slice($this->texts($names[0]), 0, 2));
    }

    /** @testdox of pushes with one collapse word the last is delivered, and the iterator counts the others */
    public function testCollapse(): void
    {
        $this->client->push($this->user, 'before');
        $poll = $this->client->poll(user: $this->user, wait: 0);
        $this->assertSame('before', self::first($poll)->data);
        foreach ([1, 2, 3] as $value) {
            $this->client->push($this->user, $value, collapse: 'unread');
        }
        $poll->next();
        $this->assertSame([3], self::data($poll));
        $this->assertSame([2, 0], [$poll->collapsed, $poll->missed]);
    }

    /** @testdox a push that reaches some of its recipients only throws NotAll, which says for each what came of it */
    public function testNotAll(): void
    {
        $error = $this->thrown(NotAll::class, fn () => $this->client->push([$this->user, 'no name'], 'x', ttl: 600));
        $this->assertSame(['bad_user', true, 1, 207], [$error->errorCode, $error->terminal, $error->failed, $error->status]);
        $this->assertArrayHasKey('id', $error->results[0]);
        $this->assertSame('bad_user', $error->results[1]['error']['code']);
        $this->assertSame(['x'], $this->texts($this->user));
    }

    /** @testdox pushMany takes any number of messages, and gives an entry for each recipient in order */
    public function testPushMany(): void
    {
        $messages = (function (): \Generator {
            for ($number = 0; $number < 1200; ++$number) {
                yield ['to' => "$this->user-" . $number % 7, 'data' => ['n' => $number, 'fill' => str_repeat('x', 300)], 'type' => 't'];
            }
        })();
        $results = $this->client->pushMany($messages);
        $this->assertCount(1200, array_column($results, 'id'));
        for ($place = 0; $place < 7; ++$place) {
            $this->assertSame("$this->user-$place", $results[700 + $place]['to']);
            $this->assertSame(range($place, 1199, 7), array_column($this->texts("$this->user-$place"), 'n'));
        }
        $this->assertSame([], $this->client->pushMany([]));
        $error = $this->thrown(NotAll::class, fn () => $this->client->pushMany([['to' => $this->user], ['to' => 'no name'], ['to' => [$this->user], 'data' => str_repeat('x', 300_000)]]));
        $this->assertSame([null, 'bad_user', 'too_large'], array_map(static fn (array $result): ?string => $result['error']['code'] ?? null, $error->results));
    }

    /** @testdox a message for later is in the schedule, can be cancelled, and comes at its time otherwise */
    public function testScheduled(): void
    {
        $later = $this->client->push($this->user, 'later', delay: 3600);
        $much = $this->client->push($this->user, ['much' => 'later'], type: 't', at: time() * 1000 + 7_200_000);
        $soon = $this->client->push($this->user, 'soon', delay: 0.2);
        $this->assertTrue($this->client->cancel($later['scheduled']));
        $this->assertFalse($this->client->cancel($later['scheduled']));
        $this->assertSame('soon', self::first($this->client->poll(user: $this->user, wait: 30))->data);
        $this->assertFalse($this->client->cancel($soon['scheduled']));
        $entries = iterator_to_array($this->client->scheduled($this->user), false);
        $this->assertCount(1, $entries);
        $this->assertSame([$much['scheduled'], $much['at'], 't', ['much' => 'later']], [$entries[0]['id'], $entries[0]['at'], $entries[0]['type'], $entries[0]['data']]);
    }

    /** @testdox a mailbox tells its cursor; a poll after it gives what is pushed from then on; peek shows and moves nothing; retract and delete drop */
    public function testMailbox(): void
    {
        $this->assertSame('0', $this->client->mailbox($this->user)['cursor']);
        $ids = array_map(fn (int $number): string => $this->client->push($this->user, $number)['id'], range(0, 3));
        $cursor = $this->client->mailbox($this->user)['cursor'];
        $this->assertSame($ids[3], $cursor);
        $this->assertSame([0, 1, 2, 3], self::data($this->client->peek($this->user)));
        $this->assertSame([1, 2], self::data($this->client->peek($this->user, after: $ids[0], limit: 2)));
        $this->assertTrue($this->client->retract($this->user, $ids[1]));
        $this->assertFalse($this->client->retract($this->user, $ids[1]));
        $this->client->push($this->user, 'new');
        $this->assertSame([0, 2, 3, 'new'], self::data($this->client->peek($this->user)));
        $this->assertSame(['new'], self::data($this->client->poll(user: $this->user, client: 'page', after: $cursor, wait: 0)));
        $this->assertSame([true, false], [$this->client->delete($this->user), $this->client->delete($this->user)]);
    }

    // --- tokens

    /** @testdox a token polls as its user alone; it is listed without its secret, and revoked by id or by user */
    public function testTokens(): void
    {
        $made = $this->client->issueToken($this->user, ttl: 600, client: 'tab', data: ['name' => 'Alice'], sliding: true);
        $this->client->push($this->user, 'hello');
        $this->assertSame(['hello'], self::data($this->client->poll(token: $made['token'], client: 'tab', wait: 0)));
        $error = $this->thrown(Forbidden::class, fn () => self::first($this->client->poll(token: $made['token'], client: 'another', wait: 0)));
        $this->assertSame('other_client', $error->errorCode);
        [$listed] = $this->client->tokens($this->user);
        $this->assertSame([$made['id'], 'tab', ['name' => 'Alice']], [$listed['id'], $listed['client'], $listed['data']]);
        $this->assertSame([1, 0], [$this->client->revokeToken($made['id']), $this->client->revokeToken($made['id'])]);
        $error = $this->thrown(Unauthorized::class, fn () => self::first($this->client->poll(token: $made['token'], client: 'tab', wait: 0)));
        $this->assertSame(['bad_token', 401, true], [$error->errorCode, $error->status, $error->terminal]);
        $this->client->issueToken($this->user);
        $this->client->issueToken($this->user);
        $this->assertSame(2, $this->client->revokeTokens($this->user));
        $this->assertSame([], $this->client->tokens($this->user));
    }

    /** @testdox a token that the client signs polls as its user, until it ends */
    public function testSignToken(): void
    {
        $key = tempnam(sys_get_temp_dir(), 'lb.');
        file_put_contents($key, self::SECRET);
        $client = new Letterbox($this->stack(['open' => 0, 'jwt_key' => $key, 'jwt_audience' => 'us'])->url);
        unlink($key);
        $client->push($this->user, 'hello');
        $this->assertSame(['hello'], self::data($client->poll(token: Letterbox::signToken($this->user, self::SECRET, 60, ['aud' => 'us']), wait: 0)));
        foreach ([Letterbox::signToken($this->user, self::SECRET), Letterbox::signToken($this->user, strrev(self::SECRET), 60, ['aud' => 'us'])] as $bad) {
            $this->thrown(Unauthorized::class, fn () => self::first($client->poll(token: $bad, wait: 0)));
        }
    }

    // --- groups, users

    /** @testdox groups are made, listed, gone through page by page, set, and removed */
    public function testGroups(): void
    {
        $group = "team-$this->user";
        $names = array_map(fn (string $letter): string => "$this->user-$letter", ['a', 'b', 'c', 'd', 'e']);
        $this->assertSame([2, 0], [$this->client->addToGroup($group, ['x' => $names[0], 'y' => $names[1]]), $this->client->addToGroup($group, $names[1])]);
        $this->assertSame(['group' => $group, 'added' => 3, 'removed' => 1, 'size' => 4], $this->client->setGroup($group, array_slice($names, 1)));
        $this->assertSame(array_slice($names, 1), array_column(iterator_to_array($this->client->members($group), false), 'user'));
        $this->assertContains(['group' => $group, 'size' => 4], iterator_to_array($this->client->groups('team-'), false));
        $this->assertSame([true, false], [$this->client->removeFromGroup($group, $names[1]), $this->client->removeFromGroup($group, $names[1])]);
        $this->assertSame([$group], $this->client->user($names[2])['groups']);
        $this->assertSame(0, $this->client->setGroup($group, [])['size']);
        $this->assertFalse($this->client->removeGroup($group));
    }

    /** @testdox members of a group larger than a page are all given, once */
    public function testManyMembers(): void
    {
        $names = array_map(fn (int $number): string => sprintf('%s-%04d', $this->user, $number), range(0, 2299));
        foreach (array_chunk($names, 1000) as $some) {
            $this->client->addToGroup($this->user, $some);
        }
        $this->assertSame($names, array_column(iterator_to_array($this->client->members($this->user), false), 'user'));
        $this->assertTrue($this->client->removeGroup($this->user));
    }

    /** @testdox who is online is listed; a kick, a lock and their end say what they did */
    public function testUsers(): void
    {
        self::data($this->client->poll(user: $this->user, client: 'tab', wait: 0));
        eventually(fn (): bool => array_column(iterator_to_array($this->client->users("$this->user"), false), 'user') === [$this->user], 'it is online');
        $this->assertSame('tab', $this->client->user($this->user)['clients'][0]['client']);
        $this->client->lock($this->user, 'unpaid');
        $error = $this->thrown(Forbidden::class, fn () => self::first($this->client->poll(user: $this->user)));
        $this->assertSame('locked', $error->errorCode);
        $this->assertSame([true, false], [$this->client->unlock($this->user), $this->client->unlock($this->user)]);
        $this->client->kick($this->user, 'too loud', 30);
        $error = $this->thrown(Forbidden::class, fn () => self::first($this->client->poll(user: $this->user)));
        $this->assertSame('kicked', $error->errorCode);
        $this->assertStringContainsString('too loud', $error->getMessage());
    }

    /** @testdox erase removes all that is known of a user, and says what that was */
    public function testErase(): void
    {
        $this->client->push($this->user, 1);
        $this->client->push($this->user, 2, delay: 3600);
        $this->client->issueToken($this->user);
        $this->client->addToGroup("g-$this->user", $this->user);
        $erased = $this->client->erase($this->user);
        $this->assertSame([true, 1, 1, 1, ["g-$this->user"]], [$erased['erased'], $erased['messages'], $erased['tokens'], $erased['scheduled'], $erased['groups']]);
    }

    /** @testdox health says that Letterbox is ready */
    public function testHealth(): void
    {
        $this->assertSame('ready', $this->client->health()['status']);
    }

    // --- errors

    public function refusals(): array
    {
        return [
            'bad_user' => [BadRequest::class, 'bad_user', fn (Letterbox $client, string $user) => $client->push('no name', 1)],
            'bad_type' => [BadRequest::class, 'bad_type', fn (Letterbox $client, string $user) => $client->push($user, 1, type: 'letterbox.x')],
            'bad_ttl' => [BadRequest::class, 'bad_ttl', fn (Letterbox $client, string $user) => $client->push($user, 1, ttl: -1)],
            'bad_group' => [BadRequest::class, 'bad_group', fn (Letterbox $client, string $user) => $client->push('group:no group', 1)],
            'bad_collapse' => [BadRequest::class, 'bad_collapse', fn (Letterbox $client, string $user) => $client->push($user, 1, collapse: 'no word')],
            'bad_time' => [BadRequest::class, 'bad_time', fn (Letterbox $client, string $user) => $client->push($user, 1, delay: 1, at: time() * 1000 + 5000)],
            'bad_client' => [BadRequest::class, 'bad_client', fn (Letterbox $client, string $user) => self::first($client->poll(user: $user, client: 'no name'))],
            'too_large' => [TooLarge::class, 'too_large', fn (Letterbox $client, string $user) => $client->push($user, str_repeat('x', 300_000))],
        ];
    }

    /**
     * @testdox a refusal is a TerminalError of its kind, with code, status and message, and is not repeated: $code
     * @dataProvider refusals
     */
    public function testRefused(string $kind, string $code, callable $act): void
    {
        $client = new Letterbox(self::$shared->url, onRetry: fn () => $this->fail('it was repeated'));
        $error = $this->thrown($kind, fn () => $act($client, $this->user));
        $this->assertInstanceOf(TerminalError::class, $error);
        $this->assertInstanceOf(LetterboxError::class, $error);
        $this->assertSame([$code, true, 0], [$error->errorCode, $error->terminal, $error->retryAfterMs]);
        $this->assertSame($error->status, $error->getCode());
        $this->assertStringStartsWith("$code: ", $error->getMessage());
    }

    /** @testdox one idempotency key with another content is a Conflict; with the same content it is one push */
    public function testConflict(): void
    {
        $first = $this->client->push($this->user, 1, idempotencyKey: "order $this->user");
        $this->assertSame($first['id'], $this->client->push($this->user, 1, idempotencyKey: "order $this->user")['id']);
        $error = $this->thrown(Conflict::class, fn () => $this->client->push($this->user, 2, idempotencyKey: "order $this->user"));
        $this->assertSame(['key_reused', 409], [$error->errorCode, $error->status]);
        $this->assertSame([1], $this->texts($this->user));
    }

    /** @testdox the key is shown to the private face, from the argument or the file that the environment names, and never to a poll */
    public function testKey(): void
    {
        $key = tempnam(sys_get_temp_dir(), 'lb.');
        file_put_contents($key, "shop:0tUHRt4qk0wWC7W9Ht1sZw push,read\n");
        $stack = $this->stack(['key_file' => $key]);
        $this->assertSame('bad_key', $this->thrown(Unauthorized::class, fn () => (new Letterbox($stack->url))->push($this->user, 1))->errorCode);
        $client = new Letterbox($stack->url, '0tUHRt4qk0wWC7W9Ht1sZw');
        $client->push($this->user, 1);
        $this->assertSame([1], $this->texts($this->user, $client));
        putenv("LETTERBOX_KEY_FILE=$key");
        putenv("LETTERBOX_URL=$stack->url");
        try {
            (new Letterbox())->push($this->user, 2);
            file_put_contents($key, "shop:0tUHRt4qk0wWC7W9Ht1sZw push,read\r\nanother\n");
            (new Letterbox())->push($this->user, 3);
        } finally {
            putenv('LETTERBOX_KEY_FILE');
            putenv('LETTERBOX_URL');
            unlink($key);
        }
        $this->assertSame([2, 3], $this->texts($this->user, $client));
    }

    /** @testdox a bad argument is an InvalidArgumentException or a TypeError before anything is sent */
    public function testBadArguments(): void
    {
        $acts = [
            fn (Letterbox $client) => $client->push([], 1), fn (Letterbox $client) => $client->push(['a', 1], 1), fn (Letterbox $client) => $client->push(null, 1), fn (Letterbox $client) => $client->push('a', NAN),
            fn (Letterbox $client) => $client->push('a', "\xff"), fn (Letterbox $client) => $client->push('a', STDIN), fn (Letterbox $client) => $client->push('a', 1, idempotencyKey: ''),
            fn (Letterbox $client) => $client->push('a', 1, idempotencyKey: str_repeat('x', 129)), fn (Letterbox $client) => $client->push('a', 1, idempotencyKey: "a\nb"), fn (Letterbox $client) => $client->push('a', 1, idempotencyKey: 'é'),
            fn (Letterbox $client) => $client->pushMany([['data' => 1]]), fn (Letterbox $client) => $client->pushMany([['to' => 'a', 'dada' => 1]]), fn (Letterbox $client) => $client->pushMany([['to' => '*']]),
            fn (Letterbox $client) => $client->pushMany([['to' => ['a', 'group:b']]]), fn (Letterbox $client) => $client->pushMany(['a']), fn (Letterbox $client) => $client->pushMany([['to' => 1]]),
            fn (Letterbox $client) => $client->addToGroup('a/b', 'c'), fn (Letterbox $client) => $client->addToGroup('..', 'c'), fn (Letterbox $client) => $client->addToGroup('a', 'b/c'), fn (Letterbox $client) => $client->addToGroup('a', []),
            fn (Letterbox $client) => $client->removeFromGroup('a', ''), fn (Letterbox $client) => $client->removeGroup('a?b'), fn (Letterbox $client) => $client->erase('.'), fn (Letterbox $client) => $client->erase("a\n"),
            fn (Letterbox $client) => $client->erase(str_repeat('x', 129)), fn (Letterbox $client) => iterator_to_array($client->members('a b')), fn (Letterbox $client) => $client->poll(), fn (Letterbox $client) => $client->poll(user: 'a', token: 'b'),
            fn (Letterbox $client) => $client->poll(user: 'a', timeout: 51), fn (Letterbox $client) => $client->poll(user: 'a', wait: -1), fn (Letterbox $client) => self::first($client->poll(token: "a\r\nX: y")),
            fn () => Letterbox::signToken('a', 'short'), fn () => Letterbox::signToken('', self::SECRET), fn () => Letterbox::signToken('a', self::SECRET, 0), fn () => new Letterbox('ftp://a'), fn () => new Letterbox('http://'),
            fn () => new Letterbox('http://a:b@c'), fn () => new Letterbox('http://a?b'), fn () => new Letterbox('unix:'), fn () => new Letterbox(timeout: 0), fn () => new Letterbox(retryFor: -1), fn () => new Letterbox(retryFor: 601),
            fn () => new Letterbox(key: ''), fn () => new Letterbox(key: "a\nb"),
        ];
        foreach ($acts as $number => $act) {
            try {
                $act(new Letterbox('http://127.0.0.1:9', retryFor: 0));
                $this->fail("act $number was accepted");
            } catch (\InvalidArgumentException | \TypeError) {
                $this->addToAssertionCount(1);
            }
        }
    }

    /** @testdox if no server is there NoAnswer is thrown, once the time for repetitions is over */
    public function testAway(): void
    {
        $waits = 0;
        $client = new Letterbox('http://127.0.0.1:9', retryFor: 1, onRetry: function () use (&$waits): void {
            ++$waits;
        });
        $error = $this->thrown(NoAnswer::class, fn () => $client->push('alice', 1));
        $this->assertSame(['no_answer', 0, false], [$error->errorCode, $error->status, $error->terminal]);
        $this->assertInstanceOf(TemporaryError::class, $error);
        $this->assertGreaterThan(0, $waits);
        $this->thrown(NoAnswer::class, fn () => (new Letterbox("unix:/nowhere/$this->user", retryFor: 0))->push('alice', 1));
    }

    // --- repetition

    public function troubles(): array
    {
        return array_map(static fn (string $word): array => [$word], ['lose', 'half', '502', '503', '429', '500', '504']);
    }

    /**
     * @testdox a push that got no answer, half of one, or a temporary error is repeated, and arrives once: $word
     * @dataProvider troubles
     */
    public function testRepeated(string $word): void
    {
        $waits = [];
        $proxy = new Proxy(self::$shared->port, '/push', ['pass', $word, $word, 'pass', $word]);
        $client = new Letterbox($proxy->url, onRetry: function (LetterboxError $error) use (&$waits): void {
            $waits[] = get_class($error);
        });
        foreach (range(0, 2) as $number) {
            $client->push($this->user, $number);
        }
        $this->assertSame([0, 1, 2], $this->texts($this->user));
        $kind = ['lose' => NoAnswer::class, 'half' => NoAnswer::class, '429' => TooMany::class][$word] ?? Unavailable::class;
        // (A kept connection that breaks is replaced at once, without a wait.)
        $this->assertSame($waits === [] ? [] : [$kind], array_values(array_unique($waits)));
    }

    /** @testdox a push whose answer does not come within the timeout is repeated, and arrives once */
    public function testLate(): void
    {
        $proxy = new Proxy(self::$shared->port, '/push', ['late']);
        (new Letterbox($proxy->url, timeout: 0.5))->push($this->user, 'x');
        $this->assertSame(['x'], $this->texts($this->user));
    }

    /** @testdox of a batch, and of a push to several and to a group, whose answers are lost, each recipient has each message once */
    public function testRepeatedMany(): void
    {
        $names = ["$this->user-a", "$this->user-b", "$this->user-c"];
        $this->client->setGroup($this->user, $names);
        $proxy = new Proxy(self::$shared->port, '/push', ['lose', '502', 'pass', 'lose', '502', 'pass', 'lose', '502', 'pass']);
        $client = new Letterbox($proxy->url);
        $client->pushMany([['to' => $names, 'data' => 0], ['to' => $names, 'data' => 1]]);
        $client->push($names, 2);
        $this->assertSame(3, $client->push("group:$this->user", 3)['accepted']);
        foreach ($names as $name) {
            $this->assertSame([0, 1, 2, 3], $this->texts($name));
        }
    }

    /** @testdox the next attempt waits for as long as the server wishes; what is over by then is not tried */
    public function testWish(): void
    {
        $waits = [];
        $proxy = new Proxy(self::$shared->port, '/push', ['503', '429']);
        $client = new Letterbox($proxy->url, onRetry: function (LetterboxError $error, float $seconds) use (&$waits): void {
            $waits[] = $seconds;
        });
        $client->push($this->user, 'x');
        $this->assertCount(2, $waits);
        $this->assertGreaterThanOrEqual(self::WISH_MS / 1000, min($waits));
        $proxy = new Proxy(self::$shared->port, '/push', ['503']);
        $error = $this->thrown(Unavailable::class, fn () => (new Letterbox($proxy->url, retryFor: self::WISH_MS / 2000))->push($this->user, 'x'));
        $this->assertSame([503, self::WISH_MS], [$error->status, $error->retryAfterMs]);
    }

    /** @testdox while Letterbox is killed and restarted, each push arrives once and in order, and an iterator gets each message once */
    public function testKilled(): void
    {
        $stack = $this->stack();
        $stack->hurry();
        $proxy = new Proxy($stack->port, '/poll', array_merge(...array_fill(0, 6, ['pass', 'lose', 'half', 'pass', '502', '503', '429'])));
        $client = new Letterbox($proxy->url);
        $pusher = proc_open(['php', __DIR__ . '/pusher.php', $stack->url, $this->user, '400'], [['file', '/dev/null', 'r'], STDERR, STDERR], $pipes);
        $got = [];
        foreach ($client->poll(user: $this->user, timeout: 5) as $message) {
            $got[] = $message->data;
            match ($message->data) {
                50, 150, 350 => $stack->crash(),
                250 => $this->assertSame(0, $stack->service('restart')),
                default => null,
            };
            if ($message->data === 399) {
                break;
            }
        }
        $this->assertSame(0, proc_close($pusher));
        $this->assertSame(range(0, 399), $got);
    }

    // --- listening

    /** @testdox a message is kept until the loop asks for the next one, and not longer; ack() is sooner */
    public function testPollAcknowledges(): void
    {
        foreach (range(0, 2) as $number) {
            $this->client->push($this->user, $number);
        }
        $poll = $this->client->poll(user: $this->user, limit: 1, wait: 0);
        $this->assertSame(0, $poll->current()->data);
        $this->assertSame(3, $this->client->mailbox($this->user)['queued']);
        $poll->next();
        $this->assertSame(1, $poll->current()->data);
        eventually(fn (): bool => $this->client->mailbox($this->user)['queued'] === 2, 'the first is acknowledged');
        $poll->ack();
        eventually(fn (): bool => $this->client->mailbox($this->user)['queued'] === 1, 'the second too');
        $this->assertSame([2], $this->texts($this->user));
    }

    /** @testdox a reader that gives the id of its last message goes on after it; one that begins with `now` gets only what is new */
    public function testPollResumes(): void
    {
        $ids = array_map(fn (int $number): string => $this->client->push($this->user, $number)['id'], range(0, 2));
        $this->assertSame([1, 2], self::data($this->client->poll(user: $this->user, after: $ids[0], wait: 0)));
        $poll = $this->client->poll(user: $this->user, client: 'other', after: 'now', wait: 0);
        $this->assertSame([], self::data($poll));
        $this->client->push($this->user, 'new');
        $this->assertSame(['new'], self::data($poll));
    }

    /** @testdox if the mailbox has become another one the iterator goes on with its oldest message, and counts that */
    public function testPollReset(): void
    {
        $this->client->push($this->user, 'old');
        $poll = $this->client->poll(user: $this->user, wait: 0);
        $this->assertSame(['old'], self::data($poll));
        $this->client->delete($this->user);
        $this->client->push($this->user, 'new');
        $this->assertSame(['new'], self::data($poll));
        $this->assertSame(1, $poll->resets);
    }

    /** @testdox a function that gives the token is asked for another one if the server has refused the last; if it refuses that too, that is final */
    public function testTokenRenewed(): void
    {
        $asked = [];
        $this->client->push($this->user, 'hello');
        $poll = $this->client->poll(token: function (bool $refused) use (&$asked): string {
            $asked[] = $refused;
            return $refused ? $this->client->issueToken($this->user)['token'] : 'lb_bad';
        });
        $this->assertSame('hello', self::first($poll)->data);
        $this->assertSame([false, true], $asked);
        $this->thrown(Unauthorized::class, fn () => self::first($this->client->poll(token: fn () => 'lb_bad')));
    }

    // --- how it is built

    /** @testdox unix:/PATH is the address of a server on a unix socket */
    public function testUnixSocket(): void
    {
        $stack = $this->stack();
        $conf = "$stack->dir/nginx/nginx.conf";
        file_put_contents($conf, str_replace("listen 127.0.0.1:$stack->port", "listen unix:$stack->dir/run/http.sock; listen 127.0.0.1:$stack->port", file_get_contents($conf)));
        $stack->nginx();
        $client = new Letterbox("unix:$stack->dir/run/http.sock");
        $client->push($this->user, 'hello');
        $this->assertSame(['hello'], $this->texts($this->user, $client));
    }

    /** @testdox the file has no word of a PHP later than 8.0 */
    public function testOldPhp(): void
    {
        $code = '';
        foreach (PhpToken::tokenize(file_get_contents(__DIR__ . '/../../scripts/clients/php/Letterbox.php')) as $token) {
            $code .= $token->is([T_COMMENT, T_DOC_COMMENT, T_CONSTANT_ENCAPSED_STRING]) ? ' ' : $token->text;
        }
        $this->assertDoesNotMatchRegularExpression('/\breadonly\b|\benum\b|: never\b|\(\.\.\.\)|array_is_list|\$\w+ = new [^;]*\)? *[,{]|json_validate/', $code);
    }
}
