-- SPDX-License-Identifier: MIT
--
-- Empties a mailbox and ends its epoch: the answer to every cursor handed out so far is a reset.
-- Polls stay parked, and their notes stay. What can't be read, or is of another type, is removed.
-- Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients
-- ARGV  1 now (ms)
-- Out   1 if there was a mailbox, or something in its place, else 0
local now, call = ARGV[1] + 0, redis.call
local removed, lost = 0, false
local collapse = string.gsub(KEYS[1], 'base:({.*)$', 'collapse:%1')
if call('TYPE', collapse).ok ~= 'hash' then removed = call('DEL', collapse) end
for i, kind in ipairs({'string', 'list', 'list', 'hash'}) do
  local found = call('TYPE', KEYS[i]).ok
  if found ~= kind and found ~= 'none' then
    removed = call('DEL', KEYS[i])
    lost = lost or i == 1
  end
end

local record, its_key = call('GET', KEYS[1]), KEYS[1]
-- Part: record.lua
-- Then its epoch is not known, but it is no later than now.
if fault or lost then epoch, base, forks, watchers = ARGV[1], 0, '', '' end
local clients = call('HGETALL', KEYS[4])
local unreadable = {}
for i = 1, #clients, 2 do
  local line = clients[i + 1]
  -- Part: line.lua
  if not at then unreadable[#unreadable + 1] = clients[i] end
end
for _, client in ipairs(unreadable) do removed = call('HDEL', KEYS[4], client) end
call('DEL', collapse)
if epoch == '0' then return math.max(call('DEL', KEYS[2], KEYS[3]), removed) > 0 and 1 or 0 end

-- The new mailbox must not get the old one's epoch, even within the same millisecond. Programs that
-- watch, and clients that are parked, keep their entries for as long as these can matter.
local rest, day = 60000, 86400000
for till in string.gmatch(watchers, ' %S+ (%d+)') do
  rest = math.max(rest, math.min(till - now, day))
end
call('SET', KEYS[1], string.format('0 0 %s%s', epoch, watchers), 'PX', string.format('%.0f', rest))
call('DEL', KEYS[2], KEYS[3])
for i = 1, #clients, 2 do
  local seen, parked = string.match(clients[i + 1], '^%d+ %d+ (%d+) (%d+)')
  if parked and parked - now > 0 and parked - now < day then
    call('HSET', KEYS[4], clients[i], string.format('0 0 %s %s', seen, parked))
  else
    call('HDEL', KEYS[4], clients[i])
  end
end
call('PEXPIRE', KEYS[4], string.format('%.0f', rest))
return 1
