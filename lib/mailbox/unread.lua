-- SPDX-License-Identifier: MIT
--
-- How many messages a client has not acknowledged; for a client that is not known here, how many are
-- kept for others. Changes nothing. The cost does not grow with their number. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 clients
-- ARGV  1 now (ms)  2 client  3 life of a client (ms)  4 most messages that are looked at
-- Out   how many; expired ones are not counted, if they are among those that are looked at
local now = ARGV[1] + 0
local record, its_key = redis.pcall('GET', KEYS[1]), KEYS[1]
local length, clients = redis.pcall('LLEN', KEYS[2]), redis.pcall('HGETALL', KEYS[3])
local met = type(record) == 'table' and record or type(length) == 'table' and length
  or clients.err and clients
if met then
  local first, last = 1, 3
  -- Part: met.lua
  return met
end
-- Part: record.lua
if fault then return fault end
if epoch == '0' then return 0 end

local least, own
for i = 1, #clients, 2 do
  local line = clients[i + 1]
  -- Part: line.lua
  if clients[i] == ARGV[2] then
    if not at then
      return {err = 'BROKEN ' .. KEYS[3] .. " can't be read, of client '" .. ARGV[2] .. "'"}
    end
    own = at
  end
  if not at or seen + ARGV[3] > now or parked + 0 > now then
    least = math.min(least or math.huge, at or base)
  end
end
-- Messages that every live client has acknowledged may still be at the front: they count as gone.
local list, most = KEYS[2], ARGV[4] + 0
local place = math.min(math.max((least or base) - base, (own or base) - base, 0), length)
-- Part: kept.lua
return kept
