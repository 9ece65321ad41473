-- SPDX-License-Identifier: MIT
--
-- Looks at a mailbox and changes nothing. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients
-- ARGV  1 now (ms)  2 life of a client (ms)  3 most messages that are looked at
-- Out   {epoch, oldest seq or 0, newest seq, queued, {client, line, client, line, ...}, forks as in
--       base}; what has expired or every live client has acknowledged is not counted, and is not the
--       oldest; what has not been looked at is taken for unexpired
local now = ARGV[1] + 0
local record, its_key = redis.pcall('GET', KEYS[1]), KEYS[1]
local length, clients = redis.pcall('LLEN', KEYS[2]), redis.pcall('HGETALL', KEYS[4])
local hung = redis.pcall('LLEN', KEYS[3])
local met = type(record) == 'table' and record or type(length) == 'table' and length
  or type(hung) == 'table' and hung or clients.err and clients
if met then
  local first, last = 1, 4
  -- Part: met.lua
  return met
end
-- Part: record.lua
if fault then return fault end
if epoch == '0' then return {'0', '0', '0', 0, clients, ''} end

local least
for i = 2, #clients, 2 do
  local line = clients[i]
  -- Part: line.lua
  if not at or seen + ARGV[2] > now or parked + 0 > now then
    least = math.min(least or math.huge, at or base)
  end
end
local list, place, most = KEYS[2], math.max((least or base) - base, 0), ARGV[3] + 0
-- Part: kept.lua
return {epoch, string.format('%.0f', oldest and base + oldest + 1 or 0),
  string.format('%.0f', base + length), kept, clients, forks}
