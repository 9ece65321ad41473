-- SPDX-License-Identifier: MIT
--
-- How a user stands: locked until unlocked, or kicked. Every program is told to look at the user
-- again. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing  3 notices  4 notice count
-- ARGV  1 user  2 field: locked or kicked  3 its value; empty: take it away
--       4 now (ms)  5 how long a signed token may live (ms)  6 life of notices (ms)
-- Out   1: so it is now; 0: so it was before (there was nothing to take away)
if ARGV[3] == '' then
  if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return 0 end
else
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
-- A lock stays. Anything else need not be known for longer than what it concerns can live: tokens, and
-- the kick of whoever is vouched for.
if redis.call('HEXISTS', KEYS[2], 'locked') == 1 then
  redis.call('PERSIST', KEYS[2])
else
  local kicked = redis.call('HGET', KEYS[2], 'kicked')
  local out = kicked and tonumber(string.match(kicked, '^%d+ (%d+)')) - tonumber(ARGV[4]) or 0
  local left = math.max(redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2]))
  local life = math.max(left, out, tonumber(ARGV[5]))
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', life))
end
local number = redis.call('INCR', KEYS[4])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'number', number, 'user', ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[6])
return 1
