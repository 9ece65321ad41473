-- SPDX-License-Identifier: MIT
--
-- Changes a user's standing: locked until unlocked, or kicked. Every program is told to check the user
-- again. If the key is no hash, it keeps the user out: it is removed. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing  3 notices  4 notice count
-- ARGV  1 user  2 field: locked or kicked  3 its value; empty: remove it
--       4 now (ms)  5 how long a signed token may live (ms)  6 life of notices (ms)
-- Out   1: it is so now; 0: it was so before (there was nothing to remove)
local found = redis.call('TYPE', KEYS[2]).ok
local other = found ~= 'hash' and found ~= 'none'
local was = other or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1
if ARGV[3] == '' and not was then return 0 end

local user, notices, number_key, life = ARGV[1], KEYS[3], KEYS[4], ARGV[6]
-- Part: notice.lua
if other then redis.call('DEL', KEYS[2]) end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
-- A lock has no end. Anything else is kept as long as what it concerns: tokens, and the kick of a user
-- who comes without one (30 days at most).
if redis.call('HEXISTS', KEYS[2], 'locked') == 1 then
  redis.call('PERSIST', KEYS[2])
else
  local till = string.match(redis.call('HGET', KEYS[2], 'kicked') or '', '^%d+ (%d+)')
  local out = till and math.min(till - ARGV[4], 2592000000) or 0
  local left = math.max(redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2]))
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(left, out, tonumber(ARGV[5]))))
end
return 1
