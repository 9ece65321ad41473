-- SPDX-License-Identifier: MIT
--
-- Looks at a mailbox, and at messages of it if they are asked for. Changes nothing. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients
-- ARGV  1 now (ms)  2 life of a client (ms)  3 most messages that are looked at
--       4 most messages that are returned  5 bytes after which to stop  6 epoch and seq of the cursor
--         after which they begin; '0 0', or another epoch: the oldest
-- Out   {epoch, oldest seq or 0, newest seq, queued, {client, line, client, line, ...}, forks as in
--       base, start, element...}: the elements follow the cursor epoch-start without a hole. A message
--       that has expired, or that every live client has acknowledged, is not counted, and is not the
--       oldest; messages that were not looked at count as not expired
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
if epoch == '0' then return {'0', '0', '0', 0, clients, '', '0'} end

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
local line, limit, bytes_most, looked_most = ARGV[6] .. ' 0 0', ARGV[4] + 0, ARGV[5] + 0, 20000
-- Part: line.lua
at = math.max(at - base, place)
local start = base + at
-- Part: found.lua
local out = {epoch, string.format('%.0f', oldest and base + oldest + 1 or 0),
  string.format('%.0f', base + length), kept, clients, forks, string.format('%.0f', start)}
for i, element in ipairs(found) do out[7 + i] = element end
return out
