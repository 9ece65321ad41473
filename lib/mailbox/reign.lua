-- SPDX-License-Identifier: MIT
--
-- Notes which Redis hands out ids from now on, as a program logs in to it: the one it was before, or
-- one that may lack what that one took last. Layout: KEYS.md.
-- KEYS  1 letterbox:reign  2 letterbox:reign:of
-- ARGV  1 now (ms)
-- Out   1 where a reign has begun, else 0
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then return 0 end

local time = redis.call('TIME')
local now, reign = time[1] * 1000 + math.floor(time[2] / 1000), redis.call('GET', KEYS[1])
-- Part: reign.lua
if fault then return fault end
if ARGV[1] - now > 31557600000 then
  return {err = 'REIGN the clock of this program is more than a year ahead of that of Redis'}
end

-- Redis takes a new id for what it holds as it starts, and as it becomes a master.
local id = string.match(info, 'master_replid:(%x+)')
if redis.call('GET', KEYS[2]) == id and reign > 0 then return 0 end

-- Later than any epoch of the reign before, whoever's clock that was by.
local started = string.format('%.0f', math.max(ARGV[1], now, reign + 1))
-- A Redis that is full lets a script go on that has written.
redis.call('DEL', KEYS[2])
redis.call('MSET', KEYS[1], started, KEYS[2], id)
return 1
