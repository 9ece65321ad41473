-- SPDX-License-Identifier: MIT
--
-- Takes tokens back: the one of that id, or all of a user; then signed ones that were issued before
-- are no good either. Every program is told to look at the user again. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing  3 notices  4 notice count
-- ARGV  1 user  2 id, empty: all  3 now (ms)  4 how long a signed token may live (ms)
--       5 life of notices (ms)
-- Out   how many were taken back
local count = 0
if ARGV[2] == '' then
  count = redis.call('HLEN', KEYS[1])
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[2], 'revoked', ARGV[3])
  if redis.call('HEXISTS', KEYS[2], 'locked') == 0 then
    local left = redis.call('PTTL', KEYS[2])
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(left, tonumber(ARGV[4]))))
  end
else
  local tokens = redis.call('HGETALL', KEYS[1])
  for i = 1, #tokens, 2 do
    if string.match(tokens[i + 1], '^%S+') == ARGV[2] then
      count = count + redis.call('HDEL', KEYS[1], tokens[i])
    end
  end
  if count == 0 then return 0 end
end
local number = redis.call('INCR', KEYS[4])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'number', number, 'user', ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return count
