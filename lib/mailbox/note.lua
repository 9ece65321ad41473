-- SPDX-License-Identifier: MIT
--
-- The ordinary case of what read.lua does with a limit of 0, at half its cost: a mailbox has only
-- one client, and only this program watches it. The client acknowledges, and is noted as parked or
-- not. In any other case this returns 0, and the caller calls read.lua. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 clients
-- ARGV  1 now (ms)  2 client  3 epoch of its cursor  4 its seq  5 poll parked until (ms)
--       6 watcher  7 watching until (ms)  8 expiries older than this are due (ms)
--       9 life of base (ms)
-- Out   1: done; 0: not the ordinary case
local record = redis.call('GET', KEYS[1])
if not record then return 0 end
local epoch, base, touched, forks, watcher =
  string.match(record, '^([1-9]%d*) (%d+) (%d+)([<:%d]*) (%S+) %d+$')
if epoch ~= ARGV[3] or watcher ~= ARGV[6] or tonumber(touched) < tonumber(ARGV[8]) then return 0 end

local ahead = tonumber(ARGV[4]) - tonumber(base)
if ahead > 0 and ahead > redis.call('LLEN', KEYS[2]) then return 0 end

-- The latest time at which the client was seen counts: a delayed note must not overwrite it.
local seen = string.match(redis.call('HGET', KEYS[3], ARGV[2]) or '', '^%d+ %d+ (%d+)')
if not seen or tonumber(seen) > tonumber(ARGV[1]) then return 0 end

local line = epoch .. ' ' .. ARGV[4] .. ' ' .. ARGV[1] .. ' ' .. ARGV[5]
redis.call('HSET', KEYS[3], ARGV[2], line)
if redis.call('HLEN', KEYS[3]) > 1 then return 0 end

if ahead > 0 then
  redis.call('LTRIM', KEYS[2], ahead, -1)
  base = ARGV[4]
end
redis.call('SET', KEYS[1],
  epoch .. ' ' .. base .. ' ' .. touched .. forks .. ' ' .. watcher .. ' ' .. ARGV[7], 'PX', ARGV[9])
return 1
