<?php
// SPDX-License-Identifier: MIT

declare(strict_types=1);

/** Letterbox as a whole for the tests in PHP: scripts/service, in a directory and on a port of its own. */
final class Stack
{
    public string $url;
    public int $port;
    public string $dir;
    private array $environment;

    /** @param array $settings of the programs: ['open' => 0] is LETTERBOX_OPEN=0 */
    public function __construct(array $settings = [])
    {
        $this->environment = array_filter(getenv(), static fn (string $name): bool => !str_starts_with($name, 'LETTERBOX_') || $name === 'LETTERBOX_BUILD', ARRAY_FILTER_USE_KEY);
        $this->environment += ['LETTERBOX_SKIP_BUILD' => '1', 'LETTERBOX_DEMO' => '0'];
        foreach ($settings as $name => $value) {
            $this->environment['LETTERBOX_' . strtoupper($name)] = (string) $value;
        }
        $this->dir = sys_get_temp_dir() . '/lb.' . bin2hex(random_bytes(4));
        mkdir($this->dir, 0755);
        for ($attempt = 0; $attempt < 3; ++$attempt) { // another program may take the port in between
            $this->port = random_int(10_000, 31_999);
            $this->url = "http://127.0.0.1:$this->port";
            if ($this->service('start') === 0) {
                return;
            }
            $this->service('stop');
        }
        throw new RuntimeException('scripts/service start failed: ' . file_get_contents("$this->dir/said"));
    }

    public function stop(): void
    {
        $this->service('stop');
        shell_exec('rm -rf -- ' . escapeshellarg($this->dir));
    }

    /** The exit status of scripts/service. */
    public function service(string $verb): int
    {
        $command = [dirname(__DIR__, 2) . '/scripts/service', $verb, '--dir', $this->dir, '--port', (string) $this->port];
        $said = ['file', "$this->dir/said", 'w']; // what stays running would keep a pipe open
        return proc_close(proc_open($command, [['file', '/dev/null', 'r'], $said, $said], $pipes, null, $this->environment));
    }

    /** Kills the program (-9), and returns when the next one has taken its place. */
    public function crash(): void
    {
        $before = $this->program();
        posix_kill($before, SIGKILL);
        eventually(fn (): bool => !in_array($this->program(), [0, $before], true), 'it is started again');
    }

    private function program(): int
    {
        $keeper = (int) file_get_contents("$this->dir/run/poll.pid");
        return (int) @file_get_contents("/proc/$keeper/task/$keeper/children");
    }

    /** nginx tells a client that found the program away to return after 0.2 s, not after seconds: no test has that long. */
    public function hurry(): void
    {
        $file = "$this->dir/nginx/letterbox-upstream.conf";
        $text = str_replace('try again","terminal":false,"retry_after_ms":$letterbox_away_ms', 'try again","terminal":false,"retry_after_ms":200', file_get_contents($file), $count);
        if ($count !== 1) {
            throw new RuntimeException("what nginx says is not in $file");
        }
        file_put_contents($file, $text);
        $this->nginx();
    }

    /** nginx reads its configuration again. */
    public function nginx(): void
    {
        $master = (int) file_get_contents("$this->dir/run/nginx.pid");
        $workers = static fn (): string => trim((string) @file_get_contents("/proc/$master/task/$master/children"));
        $before = explode(' ', $workers());
        posix_kill($master, SIGHUP);
        eventually(static fn (): bool => array_intersect($before, explode(' ', $workers())) === [], 'nginx has new workers');
    }
}

/** proxy.py before a Letterbox; it ends with this object. */
final class Proxy
{
    public string $url;
    /** @var resource */
    private $process;
    private array $pipes = [];

    public function __construct(int $port, string $path, array $words)
    {
        $this->process = proc_open(['/usr/bin/python3', '-B', __DIR__ . '/../e2e/proxy.py', (string) $port, $path, ...$words], [['pipe', 'r'], ['pipe', 'w'], STDERR], $this->pipes);
        $this->url = 'http://127.0.0.1:' . trim(fgets($this->pipes[1]));
    }

    public function __destruct()
    {
        fclose($this->pipes[0]);
        proc_close($this->process);
    }
}

/** Tries a condition until it holds; the only place in these tests that lets time pass. */
function eventually(callable $condition, string $what, float $deadline = 15): void
{
    $end = microtime(true) + $deadline;
    while (!$condition()) {
        if (microtime(true) > $end) {
            throw new RuntimeException("not within $deadline s: $what");
        }
        usleep(10_000);
    }
}
