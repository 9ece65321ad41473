-- SPDX-License-Identifier: MIT
--
-- Run when a program logs in: notes which Redis hands out ids from now on. It is the same as before, or
-- another one, which may lack the last writes of the one before. Layout: KEYS.md.
-- KEYS  1 letterbox:reign:of  2 letterbox:reign
-- ARGV  1 now (ms)
-- Out   the reign; 0 of a replica, which does not reign
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then return 0 end

local time = redis.call('TIME')
local now, reign = time[1] * 1000 + math.floor(time[2] / 1000), redis.call('GET', KEYS[2])
-- Part: reign.lua
if fault then return fault end
if ARGV[1] - now > 31557600000 then
  return {err = 'REIGN the clock of this program is more than a year ahead of that of Redis'}
end

-- Redis gives its data a new id when it starts, and when it becomes a master.
local id = string.match(info, 'master_replid:(%x+)')
if redis.call('GET', KEYS[1]) == id and reign > 0 then return string.format('%.0f', reign) end

-- Later than any epoch of the reign before, by whichever program's clock that was.
local started = string.format('%.0f', math.max(ARGV[1], now, reign + 1))
-- A Redis that is full lets a script go on that has already written.
redis.call('DEL', KEYS[1])
redis.call('MSET', KEYS[2], started, KEYS[1], id)
return started
