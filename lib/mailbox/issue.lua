-- SPDX-License-Identifier: MIT
--
-- A new token of a user. Those that have expired go; where there are as many as may be, the one that
-- was made first goes as well. Layouts: KEYS.md.
-- KEYS  1 tokens  2 notices  3 notice count
-- ARGV  1 user  2 hash of the token  3 its record  4 now (ms)  5 most tokens  6 life of notices (ms)
-- Out   how many tokens there are
local now = tonumber(ARGV[4])
local count, last = 1, tonumber(string.match(ARGV[3], '^%S+ %d+ (%d+)'))
local first, first_created
local tokens = redis.call('HGETALL', KEYS[1])
for i = 1, #tokens, 2 do
  local created, expires = string.match(tokens[i + 1], '^%S+ (%d+) (%d+)')
  created, expires = tonumber(created), tonumber(expires)
  if expires <= now then
    redis.call('HDEL', KEYS[1], tokens[i])
  else
    count = count + 1
    last = math.max(last, expires)
    if not first or created < first_created then first, first_created = tokens[i], created end
  end
end
if count > tonumber(ARGV[5]) then
  redis.call('HDEL', KEYS[1], first)
  count = count - 1
  local number = redis.call('INCR', KEYS[3])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'number', number, 'user', ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now))
return count
